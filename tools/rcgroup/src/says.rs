//! What a learner reads of the steps of `rcgroup`.

kit_plan::sayings! {
    Cgroup {
        make(name): "Make cgroup {name}: what runs in it is counted there, and limited",
            "新建 cgroup {name}：在其中运行的一切都在这里计数并受限";
        enable(controllers): "Enable {controllers} in each group above: a limit needs its controller there",
            "在上层每个组里启用 {controllers}：限制需要控制器";
        cpuset(): "Give the group CPUs and memory nodes: a cpuset without them takes no process",
            "给组分配 CPU 和内存节点：没有它们的 cpuset 不收进程";
        limit(file, value, means, means_zh): "Write {value} to {file}: {means}{means_zh:.0}",
            "把 {value} 写入 {file}：{means_zh}{means:.0}";
        moved(): "Move the processes of the group along: they are limited too",
            "把组里的进程一起移过去：它们也受限制";
        remove(name): "Remove cgroup {name}: its limits go with it",
            "删除 cgroup {name}：它的限制一起消失";
        remove_forced(name): "Kill what runs in cgroup {name}, and remove it with its limits",
            "杀死 cgroup {name} 里的进程，连同它的限制一起删除";
    }
}

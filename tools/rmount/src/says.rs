//! What a learner reads of the steps of `rmount`.

kit_plan::sayings! {
    Root {
        directory(path): "Make directory {path}: a mount needs a place",
            "新建目录 {path}：挂载需要一个位置";
        file(path): "Make the empty file {path}: a file is mounted on a file",
            "新建空文件 {path}：文件要挂载在文件上";
        scratch(path): "Make directory {path} for this run alone: it goes with all in it",
            "新建只供这次运行的目录 {path}：连同其中的一切一起消失";
        layers(count): "Stack the read-only layers ({count}) as one tree (overlay)",
            "把只读的层（{count}）叠成一棵树（overlay）";
        layers_and_upper(count): "Stack the read-only layers ({count}) under a writable one as one tree (overlay)",
            "把只读的层（{count}）叠在一个可写层之下，成为一棵树（overlay）";
        bind(from, to): "Bind {from} on {to}: the same files in both places",
            "把 {from} 绑定到 {to}：两处是同样的文件";
        bind_read_only(from, to): "Bind {from} on {to}: the same files in both places, read-only in the second",
            "把 {from} 绑定到 {to}：两处是同样的文件，第二处只读";
        memory(to): "Mount a tmpfs on {to}: files in memory, gone with the mount",
            "在 {to} 挂载 tmpfs：文件在内存里，随挂载消失";
        unmount(path): "Unmount what is on top at {path}",
            "卸载 {path} 最上面的挂载";
        unmount_lazily(path): "Unmount {path} lazily: out of sight at once, gone with its last user",
            "延迟卸载 {path}：立刻看不见，最后一个使用者离开时消失";
    }
}

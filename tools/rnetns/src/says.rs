//! What a learner reads of the steps of `rnetns`.

kit_plan::sayings! {
    Namespaces {
        create(path): "Make a network namespace, mounted on {path}: the mount keeps it alive",
            "新建网络命名空间并挂载到 {path}：没有进程时由这个挂载保住它";
        delete(name): "Unmount network namespace {name} and remove its file: processes inside keep the namespace",
            "卸载网络命名空间 {name} 并删除它的文件：里面的进程仍保有它";
    }
    Network {
        lo(): "Raise lo: its programs reach each other on 127.0.0.1",
            "启用 lo：里面的程序经 127.0.0.1 互相访问";
    }
}

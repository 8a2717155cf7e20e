//! What a learner reads of the steps of `rrun`'s verbs.

kit_plan::sayings! {
    Files {
        unpin(): "Unpin the image: it may be removed now",
            "松开镜像：现在可以删除它";
        unpin_unused(): "Unpin an image that was not used after all",
            "松开最终没有用到的镜像";
        unpin_nobodys(): "Unpin an image whose container is gone",
            "松开容器已不在的镜像";
        pin(): "Pin the image: nobody can remove it while this container needs it",
            "钉住镜像：这个容器需要它时谁也删不掉";
        cidfile(path): "Write the ID to {path}, which must not be there: it may be another container's",
            "把 ID 写入 {path}，它必须还不存在：可能是别的容器的";
        begin(): "Make the container's directory under a temporary name: nobody sees it half made",
            "用临时名新建容器的目录：没人会看到做了一半的容器";
        write(): "Write config.json (OCI), container.json (name, image, ports), state.json (created)",
            "写 config.json（OCI）、container.json（名字、镜像、端口）、state.json（已创建）";
        take_name(name): "Take the name {name}: by link(2) only one can have it",
            "占用名字 {name}：link(2) 给文件加上这个名字，后来者失败";
        free_name(name): "Free the name {name}: another container may have it now",
            "释放名字 {name}：现在别的容器可以用";
        publish(): "Rename the directory to its final name: all commands see the container, whole",
            "把目录改成正式的名字：所有命令看到完整的容器";
        save(): "Write container.json beside and rename it: a reader sees the old one or the new one",
            "在旁边写好 container.json 再改名：读者看到旧的或新的";
        volume(name, at): "Make volume {name} of what the image has at {at}; renamed when it is whole",
            "用镜像中 {at} 的内容新建卷 {name}；完整之后才改名";
        fill_volume(name, at): "Copy what the image has at {at} into volume {name}: it is empty, and would hide that",
            "把镜像中 {at} 的内容复制进卷 {name}：空卷会遮住它";
        discard(): "Rename the container's directory away: it is gone at once, and its name is free",
            "把容器的目录改名移走：它立刻消失，名字空出";
        discard_volume(name): "Rename volume {name} away: no container mounts one that is half deleted",
            "把卷 {name} 改名移走：没有容器会挂载删了一半的卷";
        delete_trash(): "Delete the volume's files: last, since nobody waits for the disk any more",
            "删除卷的文件：放在最后，因为没人再等磁盘";
        delete_volume(): "Delete a volume that has no name: it was this container's alone",
            "删除没有名字的卷：它只属于这个容器";
        delete_files(): "Delete the container's files: last, since nobody waits for the disk any more",
            "删除容器的文件：放在最后，因为没人再等磁盘";
        delete_layer(): "Delete what the program wrote, and its log: by it gc knew whose the volumes were",
            "删除程序写下的文件和日志：gc 靠它知道卷是谁的";
        keep(): "Tell the monitor that this --rm container is restarted: it is not to be removed",
            "告诉监护进程这个 --rm 容器在重启：停下时不删除";
        replay(): "Undo what killed processes had begun, as their journals say",
            "按日志撤销被杀进程做了一半的事";
        settle(): "Write down that the container ended: nobody saw its exit code, and it is not guessed",
            "记下容器已结束：没人看到退出码，也不猜";
        left_volume(): "Delete a volume without a name: its container was removed",
            "删除没有名字的卷：它的容器已删除";
        left_trash(): "Delete what was removed before, and is still on the disk",
            "删除早已移走、仍在磁盘上的文件";
        left_layer(): "Delete what a program wrote whose container is gone, by a kill or a reboot",
            "删除程序写下的文件：它的容器因被杀或重启已不在";
        left_new_volume(): "Delete a volume made for a container that was never finished",
            "删除为没做完的容器新建的卷";
        left_new_name(): "Free the name of a container that was never finished",
            "释放没做完的容器的名字";
        left_new(): "Delete a container that was never finished",
            "删除没做完的容器";
        left_name(): "Free a name that no container has",
            "释放没有容器的名字";
        left_old_name(): "Free a name that its container does not have any more",
            "释放容器不再使用的名字";
        left_run(): "Delete the run directory of a container that is gone",
            "删除已不在的容器的运行目录";
        bundle(path): "Make directory {path}: the root will be mounted there",
            "新建目录 {path}：根文件系统将挂载在那里";
        config(): "Write config.json: what is run and how, in the words of the OCI specification",
            "写 config.json：用 OCI 规范的话说明运行什么、怎么运行";
    }
    Cgroup {
        left_cgroups(): "Remove cgroups that containers have left: no process is in them",
            "删除容器留下的 cgroup：里面已没有进程";
        tidy(): "Remove the cgroup that containers are below: nobody is below it",
            "删除容器上层的 cgroup：下面已没有容器";
    }
    Network {
        take_down(): "Take the containers' network down, unless a container is in it",
            "撤掉容器的网络，除非里面还有容器";
        release(): "Stop forwarding between links: no bridge of ours needs it any more",
            "停止网卡之间的转发：我们的网桥都不再需要";
    }
    Root {
        root(): "Mount the container's root: its layers below, its own on top (overlay)",
            "挂载容器的根：下面是镜像的层，上面是它自己的（overlay）";
        unroot(): "Unmount the root",
            "卸载根文件系统";
    }
    Program {
        ask(signal, pid): "Send signal {signal} to PID {pid}: the program is asked to end",
            "向 PID {pid} 发信号 {signal}：请程序结束";
        kill(pid): "Kill PID {pid}: with PID 1 of its namespace all of the container ends",
            "杀死 PID {pid}：命名空间的 1 号进程一死，整个容器结束";
        kill_at_last(pid): "Kill PID {pid} if it is still there: with PID 1 all of the container ends",
            "如果 PID {pid} 还在就杀死它：1 号进程一死，整个容器结束";
        signal(signal, pid): "Send signal {signal} to PID {pid}: what the program does with it is its own affair",
            "向 PID {pid} 发信号 {signal}：怎么处理由程序决定";
        wait(): "Wait for the program to end by itself: it may tidy up",
            "等程序自己结束：让它收拾";
        report(): "Wait for the monitor's lock: it holds it until it has cleaned up and reported",
            "等监护进程的锁：收拾完并报告之后它才放开";
        attend(): "Start another monitor, since the first was killed: it sees the program's end, and cleans up",
            "另起一个监护进程，因为原来的被杀了：由它看到程序结束并收拾";
        end_start(): "End a start that hangs: kill its monitor, and undo what it did",
            "结束卡住的启动：杀死它的监护进程，撤销所做的事";
        again(): "Start the container again: a new monitor makes everything anew but the files",
            "再次启动容器：新的监护进程重做除文件外的一切";
    }
}

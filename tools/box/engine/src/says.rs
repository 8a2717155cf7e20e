//! What a learner reads of the engine's steps.

kit_plan::sayings! {
    Cgroup {
        open(): "Open the cgroup: inside no path leads to it, so the child joins by the open file",
            "现在打开 cgroup：里面没有通向它的路径，子进程用这个打开的文件加入";
        devices(): "Allow null, zero, random and terminals only: no disk of the host can be opened",
            "只允许 null、zero、random 和终端：打不开主机的任何磁盘";
    }
    Namespaces {
        stdio(): "Make a directory for the root, and pipes for what the program writes",
            "创建根文件系统的目录，以及接收程序输出的管道";
        clone(kinds): "Clone it into new namespaces ({kinds}); it waits for \"go\"",
            "把它克隆进新的命名空间（{kinds}）；它在里面等待“go”";
        join(what, path): "Enter the {what} namespace of {path} instead of making a new one",
            "进入 {path} 的 {what} 命名空间，而不是新建一个";
        join_cgroup(): "Join the cgroup: its limits hold from the first moment on",
            "加入 cgroup：从第一刻起就受它限制";
        join_cgroup_and_hide(): "Join the cgroup, then take a new cgroup namespace: no group above is seen",
            "加入 cgroup，再新建 cgroup 命名空间：看不到上层的组";
        slave(): "Make every mount a slave of the host's: what is mounted in here stays, what the host mounts comes in",
            "把所有挂载设为主机的从属：里面挂载的不外传，主机挂载的会传进来";
        shared(): "Keep the mounts shared with the host, but for the root: mounts pass both ways",
            "除根以外，挂载继续与主机共享：两边的挂载互相可见";
        open_namespace(what, path): "Open the {what} namespace {path} while its name can be reached",
            "趁还能按名字访问时打开 {what} 命名空间 {path}";
        clocks(): "Take a new time namespace: its uptime is not the host's",
            "新建时间命名空间：它的开机时间与主机不同";
        map_ids(): "Map its user IDs to others of the host: root in here has no rights out there",
            "把里面的用户 ID 映射成主机的其他 ID：里面的 root 在外面没有权限";
        root_inside(): "Become root of the user namespace: what is made from here on is its own",
            "成为用户命名空间的 root：此后创建的都归它";
        target(pid): "Open the container's first process, PID {pid} here: it has the namespaces and the root",
            "打开容器的第一个进程（这里的 PID {pid}）：要进入它的命名空间和根";
        clone_to_enter(): "Clone a process to enter the container with: whoever enters stays there",
            "克隆一个进程去进入容器：进去的就留在里面";
        enter_container(): "Enter its namespaces and root: mounts, network, processes, host name and queues",
            "进入它的命名空间和根：挂载、网络、进程、主机名和消息队列都是容器的";
        private(): "Make every mount private: what is mounted from here on stays in here",
            "把所有挂载设为私有：此后挂载的都留在里面";
    }
    Image {
        overlay(layers): "Stack the image's layers ({layers}), read-only, under a writable one (overlay)",
            "把镜像的层（{layers}）只读地叠起来，上面加一个可写层（overlay）";
    }
    Root {
        directory(): "Bind the directory on its new place: a root must be a mount point",
            "把目录绑定到新位置：根必须是一个挂载点";
        proc(): "Mount /proc: ps then shows this PID namespace's processes and no others",
            "挂载 /proc：ps 只看到这个 PID 命名空间的进程";
        sys(): "Mount /sys: it shows the devices of this network namespace",
            "挂载 /sys：显示这个网络命名空间的设备";
        terminals(): "Mount /dev/pts: terminals of its own, which nobody outside opens",
            "挂载 /dev/pts：自己的终端，外面打不开";
        cgroups(): "Mount /sys/fs/cgroup: its limits and usage can be read there, and not changed",
            "挂载 /sys/fs/cgroup：可以读到自己的限制和用量，但不能改";
        own_cgroups(): "Mount /sys/fs/cgroup: its limits and usage can be read and changed there",
            "挂载 /sys/fs/cgroup：可以读写自己的限制和用量";
        memory(to): "Mount a tmpfs on {to}: files in memory, gone with the container",
            "在 {to} 挂载 tmpfs：文件在内存里，随容器消失";
        queues(): "Mount /dev/mqueue: the POSIX message queues of this IPC namespace",
            "挂载 /dev/mqueue：这个 IPC 命名空间的 POSIX 消息队列";
        bind(from, to): "Bind {from} of the host on {to}: the same files in both places",
            "把主机的 {from} 绑定到 {to}：两处是同样的文件";
        other(kind, to): "Mount {to} ({kind})",
            "挂载 {to}（{kind}）";
        nodes(): "Make /dev/null, zero, full, random, urandom, tty: no disk of the host is among them",
            "创建 /dev/null、zero、full、random、urandom、tty：其中没有主机的磁盘";
        mask(): "Hide kernel memory, keys and switches in /proc and /sys: no namespace covers them",
            "遮住 /proc 和 /sys 里的内核内存、密钥和开关：没有命名空间管它们";
        enter(): "Make this root \"/\" (pivot_root), and let go of the host's files",
            "把这个根变成“/”（pivot_root），放开主机的文件";
    }
    Identity {
        domainname(name): "Set the NIS domain name to {name}: a UTS namespace has one of its own",
            "把 NIS 域名设为 {name}：UTS 命名空间有自己的域名";
        sysctl(name, value): "Set sysctl {name} to {value}: in its own namespace, and nowhere else",
            "把 sysctl {name} 设为 {value}：只在它自己的命名空间里";
        hostname(name): "Set the hostname to {name}: a UTS namespace has one of its own",
            "把主机名设为 {name}：UTS 命名空间有自己的主机名";
    }
    Network {
        names(to): "Bind {to}, as it was written for this container, over the image's",
            "把为这个容器写好的 {to} 绑定在镜像的文件之上";
        lo(): "Raise lo: its programs reach each other on 127.0.0.1",
            "启用 lo：里面的程序经 127.0.0.1 互相访问";
    }
    Program {
        terminal(): "Open a terminal in the container's /dev/pts: the monitor holds the other end",
            "在容器的 /dev/pts 里打开终端：另一端由监护进程拿着";
        terminal_here(): "Open a terminal in the container's /dev/pts: the other end comes to us",
            "在容器的 /dev/pts 里打开终端：另一端交给我们";
        terminal_way(): "Make a socket for the terminal's other end to come by",
            "创建一个套接字，用来接收终端的另一端";
        to_null(): "Take /dev/null for its streams: nobody reads or writes them",
            "把它的标准流接到 /dev/null：没有人读写";
        pipes(): "Make pipes between us and the program",
            "在我们和程序之间创建管道";
        hooks(name, count): "Run the {name} hooks of config.json ({count}): each is told the container's state",
            "运行 config.json 的 {name} 钩子（{count} 个）：每个都会得到容器的状态";
        init(): "Stay as PID 1: it reaps orphans and passes signals on to the program",
            "作为 PID 1 留下：回收孤儿进程，把信号转给程序";
        exec(command): "Give up the privileges it must not have, then become the program: {command}",
            "放弃不该有的特权，然后变成程序：{command}";
    }
}

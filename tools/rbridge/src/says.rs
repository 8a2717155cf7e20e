//! What a learner reads of the steps of `rbridge`.

kit_plan::sayings! {
    Network {
        create(name): "Make bridge {name}, a switch: what comes in by one port goes out by the others",
            "新建网桥 {name}，一台交换机：从一个口进来的从其他口出去";
        delete(name): "Delete bridge {name}: what was plugged in stays",
            "删除网桥 {name}：插在上面的留下";
        hairpin(): "Let packets leave by the port they came in by (hairpin): it reaches its own ports",
            "允许数据包从进来的口出去（hairpin）：它能访问自己发布的端口";
        attach(link, bridge): "Plug {link} into bridge {bridge}, and raise it",
            "把 {link} 插到网桥 {bridge} 上并启用";
        detach(link): "Pull {link} out of its bridge",
            "把 {link} 从网桥上拔下";
        addr(name, addr): "Give bridge {name} address {addr}: this host is the gateway of what is plugged in",
            "给网桥 {name} 地址 {addr}：本机是插在上面的设备的网关";
        del_addr(name, addr): "Remove address {addr} from bridge {name}: what is plugged in loses that gateway",
            "从网桥 {name} 取下地址 {addr}：插在上面的设备失去这个网关";
        forwards(): "Look whether packets are forwarded between links",
            "看看网卡之间的转发是否已打开";
        forward(): "Forward packets between links, but only from and to our bridges",
            "打开网卡之间的转发，但只限我们的网桥";
        nat(name): "Masquerade what leaves {name}: only answers and published ports come back in",
            "伪装从 {name} 出去的流量：只有应答和发布的端口能进来";
        nat_off(name): "Stop masquerading for {name}: its published ports go, and nothing leads out",
            "停止为 {name} 伪装：它发布的端口消失，也不再通向外面";
        localnet(): "Let 127.0.0.1 be routed to the bridge: published ports answer there too",
            "允许把 127.0.0.1 路由到网桥：发布的端口在那里也应答";
        publish(host, port): "Send port {host} of this host to port {port} inside: one element of an nftables map",
            "把本机端口 {host} 转到里面的端口 {port}：nftables 映射里的一个元素";
        unpublish(host): "Take port {host} out of the nftables map: it is this host's own again",
            "从 nftables 映射里取出端口 {host}：它又归本机";
        lease(subnet): "Take an address of {subnet}: by link(2) only one can have it",
            "用 link(2)（给文件加一个名字，只有一方能成功）取 {subnet} 里的一个地址";
        join(network, gateway): "Join network {network}: a bridge with {gateway} as its gateway, made if there is none",
            "加入网络 {network}：网关为 {gateway} 的网桥，没有就新建";
        choose(): "Write the addresses of the containers' network down: they hold when it is made next",
            "记下容器网络的地址：下次新建网络时生效";
        repair(): "Put back what is missing of the rules and published ports of containers, as the records have them",
            "按记录补上容器缺少的规则和发布的端口";
    }
}

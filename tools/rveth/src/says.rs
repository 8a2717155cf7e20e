//! What a learner reads of the steps of `rveth`.

kit_plan::sayings! {
    Network {
        plugged(bridge, inside): "Lay a cable (veth) from bridge {bridge} to {inside} inside",
            "拉一根网线（veth）：从网桥 {bridge} 到里面的 {inside}";
        cable(a, b): "Lay a cable (veth): what goes in at {a} comes out at {b}",
            "拉一根网线（veth）：从 {a} 进去的从 {b} 出来";
        macvlan(link, parent): "Make {link} on {parent} (macvlan): a hardware address of its own on the same wire",
            "在 {parent} 上新建 {link}（macvlan）：同一根线上自己的硬件地址";
        raise(link): "Raise {link}: it carries packets from now on",
            "启用 {link}：从现在起可以收发";
        raise_with_addr(link): "Give {link} its address, and raise it",
            "给 {link} 地址并启用";
        raise_with_gateway(link): "Give {link} its address, raise it, and route what is not here through its gateway",
            "给 {link} 地址并启用，其余流量走它的网关";
        release(): "Remove the mark for cleaning up: all is done, and rrun gc leaves it alone",
            "去掉清理用的标记：全部完成，rrun gc 不会再动它";
        label(link, whose): "Give link {link} the alias {whose}: ip link shows whose it is",
            "给网卡 {link} 起别名 {whose}：ip link 显示它属于谁";
        delete_pair(link): "Delete {link}: the other end of the cable goes with it",
            "删除 {link}：网线的另一端一起消失";
        delete(link): "Delete {link}",
            "删除 {link}";
        up(link): "Raise {link}: it carries packets from now on",
            "启用 {link}：从现在起可以收发";
        down(link): "Lower {link}: it carries nothing, and its routes go",
            "停用 {link}：不再收发，它的路由也消失";
        rename(link, name): "Rename {link} to {name}",
            "把 {link} 改名为 {name}";
        move_to(link, netns): "Move {link} into {netns}: it begins there down and without addresses",
            "把 {link} 移入 {netns}：在那里它是停用的，也没有地址";
        move_as(link, netns, name): "Move {link} into {netns} as {name}: it begins there down and without addresses",
            "把 {link} 移入 {netns} 并改名为 {name}：在那里它是停用的，也没有地址";
        mac(link, mac): "Set the hardware address of {link} to {mac}",
            "把 {link} 的硬件地址设为 {mac}";
        mtu(link, mtu): "Set the MTU of {link} to {mtu}: it sends at most so many bytes at once",
            "把 {link} 的 MTU 设为 {mtu}：一次最多发这么多字节";
        addr(link, addr): "Add address {addr} to {link}",
            "给 {link} 加上地址 {addr}";
        del_addr(link, addr): "Remove address {addr} from {link}",
            "从 {link} 取下地址 {addr}";
    }
}

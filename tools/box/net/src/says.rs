//! What a learner reads of the steps of a container's network.

kit_plan::sayings! {
    Network {
        hold(port): "Take port {port} for as long as the container runs: nobody else gets it meanwhile",
            "在容器运行期间占住端口 {port}：这段时间别人拿不到";
        relay(port): "Relay IPv6 of port {port} to the container: no rule turns IPv6 into IPv4",
            "由监护进程转发端口 {port} 的 IPv6：没有规则能把 IPv6 变成 IPv4";
        files(): "Write hosts, hostname and resolv.conf: by these files it finds names",
            "写好 hosts、hostname 和 resolv.conf：它靠这些文件解析名字";
        eth0(): "Give eth0 its address, raise it, and make the bridge its way out",
            "给 eth0 地址并启用，以网桥为出口";
    }
}

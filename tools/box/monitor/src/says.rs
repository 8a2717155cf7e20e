//! What a learner reads of the monitor's own steps.

kit_plan::sayings! {
    Network {
        still_there(name): "See that container {name} still runs: its network is joined, not another's",
            "确认容器 {name} 还在运行：加入的是它的网络，不是别人的";
    }
}

//! What a learner reads of the steps of `runpack`.

kit_plan::sayings! {
    Image {
        directory(): "Make a directory beside its place: nobody sees it half filled",
            "在目标旁边新建目录：没人会看到它只填了一半";
        publish(): "Rename it to its name, now that it is whole",
            "完整之后改成正式的名字";
        fill(): "Move all up into the directory that was there, now that it is whole",
            "完整之后把一切移进原有的目录";
        flat(): "Unpack every layer on top of the last: one root",
            "把每一层解在上一层之上：成为一个根";
        overlay(): "Unpack each layer into a directory of its own: an overlay stacks them",
            "把每一层解到自己的目录：由 overlay 叠起来";
        bundle(): "Unpack the root, and write the configuration that a runtime wants",
            "解出根文件系统，写好运行时要的配置";
        pin(): "Pin the image: its layers are not removed while they are mounted",
            "钉住镜像：挂载期间它的层不会被删除";
        tag(name): "Write the name {name} into the index: the image is found by it from now on",
            "把名字 {name} 写入索引：从此可以按它找到镜像";
        remove(what, zh): "Take out of the index: {what}{zh:.0}",
            "从索引中取出：{zh}{what:.0}";
        save(): "Write blobs, an index and docker's manifest.json into one tar",
            "把 blob、索引和 docker 的 manifest.json 写进一个 tar";
        begin(): "Make a directory for what is not whole yet: nobody sweeps the store meanwhile",
            "新建目录放未完成的内容：这段时间没人清理仓库";
        take(title, does): "Read {title} once: it is checked, and {does} beside its place",
            "读一遍{title}：校验，并在目标旁边{does}";
        place(title): "Rename {title} into its place, now that it is whole",
            "完整之后把{title}改名到位";
        name(names): "Write the index: the image is found as {names} from now on",
            "写索引：从此镜像叫 {names}";
        nameless(): "Write the index: an image of that one layer, found by its ID",
            "写索引：这一层的镜像，可按 ID 找到";
        pack(count): "Write one layer of the programs, their libraries and interpreters: {count} paths",
            "把程序和它们的库、解释器写成一层：{count} 个路径";
        replay(): "Undo what killed commands had begun, as their journals say",
            "按日志撤销被杀命令做了一半的事";
        sweep_blobs(): "Delete blobs (files named by their digest) that no image has",
            "删除没有镜像使用的 blob（以摘要命名的文件）";
        sweep_layers(): "Delete unpacked layers that no image has",
            "删除没有镜像使用的已解开的层";
        sweep_temporaries(): "Delete what commands that are gone had not published yet",
            "删除已不在的命令没来得及发布的内容";
    }
}

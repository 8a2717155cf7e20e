//! `rrun inspect`: containers and images, with docker's field names.

mod order;

use kit_cli::{Failure, Result, emit, emit_json};
use runpack::StoreError;
use serde_json::Value;

use super::docker;
use super::steps::fault;
use box_state::{Containers, StateError};
use kit_cli::template::{Template, asked};
use order::InOrder;

#[derive(clap::Args)]
pub struct Args {
    /// A template: {{.State.Running}}, {{json .Config.Env}}
    #[arg(short, long)]
    pub format: Option<String>,
    /// Measure a container's files: SizeRw and SizeRootFs
    #[arg(short, long)]
    pub size: bool,
    /// container or image
    #[arg(long, value_parser = ["container", "image"])]
    pub r#type: Option<String>,
    /// Containers or images; - reads them from standard input
    #[arg(required = true, value_name = "CONTAINER|IMAGE")]
    pub names: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.names, &["container", "image"])?;
    let template = asked(args.format.as_deref())
        .map(Template::parse)
        .transpose();
    let template = template.map_err(Failure::from)?;
    let mut found: Vec<Value> = Vec::new();
    let mut texts = String::new();
    let outcome = kit_cli::each(&names, |name| {
        let value = one(args, containers, name)?;
        if let Some(template) = &template {
            let printed = docker::for_templates(value.clone());
            texts.push_str(&template.render_beside(&printed, &value)?);
            texts.push('\n');
        }
        found.push(value);
        Ok(())
    });
    if template.is_some() {
        emit(&texts)?;
    } else {
        let found: Vec<InOrder> = found.iter().map(InOrder).collect();
        emit_json(&found)?;
    }
    outcome
}

/// What is not UTF-8 as docker shows it: by U+FFFD.
fn lossy(value: Value) -> Value {
    match value {
        Value::String(text) => kit_plan::os_text::unescape(text).to_string_lossy().into(),
        Value::Array(all) => all.into_iter().map(lossy).collect(),
        Value::Object(all) => all
            .into_iter()
            .map(|(key, one)| (key, lossy(one)))
            .collect(),
        other => other,
    }
}

fn one(args: &Args, containers: &Containers, name: &str) -> Result<Value> {
    let wants = |kind: &str| args.r#type.as_deref().is_none_or(|wanted| wanted == kind);
    if wants("container") {
        match containers.find(name) {
            Ok((containers, container)) => {
                let mut object = docker::container(&containers, &container).map_err(fault)?;
                if args.size {
                    let written = docker::written(&containers, &container);
                    object["SizeRw"] = written.into();
                    object["SizeRootFs"] =
                        (written + docker::image_size(&containers, &container)).into();
                }
                return Ok(lossy(object));
            }
            Err(StateError::Unknown { .. }) => {}
            Err(error) => return Err(fault(error)),
        }
    }
    let store = runpack::Store::open(&containers.roots.root);
    if wants("image") {
        match runpack::images::inspect(&store, name) {
            Err(StoreError::Unknown { .. } | StoreError::Reference(_)) => {}
            found => return Ok(found?),
        }
    }
    let what = args.r#type.as_deref().unwrap_or("object");
    let failure = Failure::new(format!("No such {what}: {name}"));
    Err(failure.hint("rrun ps -a lists the containers, rrun images the images"))
}

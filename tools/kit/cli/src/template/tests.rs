//! Templates as people write them.

use super::*;
use serde_json::json;

fn render(template: &str, value: &Value) -> Result<String, TemplateError> {
    Template::parse(template)?.render(value)
}

#[test]
fn what_people_write() {
    let value = json!({"Name": "/web", "State": {"Running": true, "Pid": 7}, "Args": ["a", "b"],
        "Labels": {"k": "v"}, "Label": {"k": "v"}, "Mounts": [{"Source": "/a"}, {"Source": "/b"}], "None": [],
        "Ports": {"53/udp": null, "80/tcp": [{"HostPort": "8080"}]}});
    for (template, expected) in [
        ("{{.Name}}", "/web"),
        ("{{ .State.Running }} {{.State.Pid}}", "true 7"),
        ("{{json .State}}", "{\"Pid\":7,\"Running\":true}"),
        ("{{.State | json}}", "{\"Pid\":7,\"Running\":true}"),
        ("{{.Args}}", "[a b]"),
        ("{{index .Labels \"k\"}}", "v"),
        ("{{index .Labels \"nope\"}}", ""),
        ("{{range .Mounts}}{{.Source}};{{end}}", "/a;/b;"),
        ("{{range .None}}x{{else}}none{{end}}", "none"),
        ("{{range $i, $a := .Args}}{{$i}}={{$a}} {{end}}", "0=a 1=b "),
        ("{{range $k, $v := .Labels}}{{$k}}:{{$v}}{{end}}", "k:v"),
        ("{{range .Args}}{{.}}@{{$.Name}} {{end}}", "a@/web b@/web "),
        (
            "{{range $p, $at := .Ports}}{{if $at}}{{$p}} -> {{(index $at 0).HostPort}}{{end}}{{end}}",
            "80/tcp -> 8080",
        ),
        ("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        (
            "{{if .None}}a{{else if eq .Name \"/web\"}}b{{else}}c{{end}}",
            "b",
        ),
        ("{{if not .None}}empty{{end}}", "empty"),
        ("{{len .Args}}", "2"),
        ("{{join .Args \", \"}}", "a, b"),
        ("{{upper .Name}}", "/WEB"),
        ("a {{- .Name -}} b", "a/webb"),
        ("{{println .Name}}", "/web\n"),
        (
            "{{join .Args \"\\n\"}}|{{print \"\\t\\\"}}\\u00e9\"}}",
            "a\nb|\t\"}}é",
        ),
        ("{{with .Labels}}{{.k}}{{else}}none{{end}}", "v"),
        ("{{with $l := .None}}x{{else}}{{.Name}}{{end}}", "/web"),
        ("a{{/* a comment */}}b{{- /* another */ -}} c", "abc"),
        (
            "{{$n := .Name}}{{range .Args}}{{$n}}{{.}} {{end}}",
            "/weba /webb ",
        ),
        ("{{title \"two words\"}}", "Two Words"),
        ("{{range split .Name \"e\"}}<{{.}}>{{end}}", "</w><b>"),
        (
            "{{printf \"%s=%d %q %v%%\" .Name 7 \"x\" .Args}}",
            "/web=7 \"x\" [a b]%",
        ),
        ("{{truncate .Name 3}} {{pad \"x\" 1 2}}|", "/we  x  |"),
        (
            "{{if and (gt (len .Args) 1) (le .State.Pid 7)}}yes{{end}}",
            "yes",
        ),
        ("{{.Label \"k\"}}{{.Label \"no\"}}", "v"),
        (
            "{{if .State.Health}}sick{{else}}unchecked{{end}}",
            "unchecked",
        ),
        ("{{.Labels.nope}}", "<no value>"),
    ] {
        assert_eq!(render(template, &value).unwrap(), expected, "{template}");
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let value =
        json!({"Name": "/web", "State": {"Pid": 7}, "Args": ["a"], "Ports": {"80/tcp": null}});
    for (template, why) in [
        (
            "{{.Nmae}}",
            "<.Nmae>: map has no entry for key \"Nmae\"; did you mean \"Name\"?",
        ),
        (
            "{{.State.Nope}}",
            "<.State.Nope>: map has no entry for key \"Nope\"",
        ),
        ("{{.Name.X}}", "<.Name.X>: a string has no field \"X\""),
        ("{{index .Args 3}}", "<index>: index out of range: 3"),
        (
            "{{index (index .Ports \"80/tcp\") 0}}",
            "<index>: index out of range: 0",
        ),
        ("{{range .Name}}{{end}}", "<.Name>: range over a string"),
    ] {
        let error = render(template, &value).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("executing the template at {why}"),
            "{template}"
        );
    }
}

#[test]
fn what_is_no_template() {
    for (bad, why) in [
        ("{{", "unclosed action: \"\""),
        ("{{.A", "unclosed action: \".A\""),
        ("{{}}", "missing value for command: \"\""),
        ("{{frob .A}}", "function not defined: \"frob\""),
        ("{{range .A}}", "it is missing: \"end\""),
        ("{{end}}", "it closes nothing: \"end\""),
        ("{{if .A}}{{else}}{{else}}{{end}}", "expected end: \"else\""),
        ("{{é", "unclosed action: \"é\""),
    ] {
        let error = render(bad, &json!({})).unwrap_err().to_string();
        assert_eq!(error, format!("template parsing error: {why}"), "{bad}");
    }
    for bad in [
        "{{(}}",
        "{{)}}",
        "{{|}}",
        "{{.A .B}}",
        "{{index}}",
        "{{$nope}}",
        "{{(.A}}",
    ] {
        assert!(render(bad, &json!({})).is_err(), "{bad}");
    }
}

#[test]
fn an_action_with_json_has_the_objects_json() {
    let (value, json) = (json!({"A": {"B": []}}), json!({"A": {"B": null}}));
    for (template, expected) in [
        ("{{.A.B}} {{len .A.B}} {{json .A.B}}", "[] 0 null"),
        (
            "{{.A.B | json}} {{json $.A}} {{(json .A.B)}}",
            "null {\"B\":null} null",
        ),
        (
            "{{$b := .A.B}}{{$b}} {{with .A}}{{json .B}}{{end}}",
            "[] []",
        ),
    ] {
        let rendered = Template::parse(template)
            .unwrap()
            .render_beside(&value, &json);
        assert_eq!(rendered.unwrap(), expected, "{template}");
    }
}

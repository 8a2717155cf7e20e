#!/bin/sh
# docs/pictures/speed.sh BENCH.json >docs/pictures/speed.svg: the ratios that `scripts/bench --json` measured, as bars. Needs jq.
set -eu

[ $# -eq 1 ] || { echo "speed: one file: what scripts/bench --json printed" >&2; exit 2; }

exec jq -r '
# Geometry: labels end where the bars begin; a ratio of 1 is one unit wide, and what is beyond the edge is cut and says so.
def left: 330; def unit: 260; def edge: 1.6; def width: 900; def bar: 10; def top: 96;
def round2: . * 100 | round / 100;
def digits: round2 | tostring | if test("\\.") then . + "0" * (2 - (split(".")[1] | length)) else . + ".00" end;
def x: ([., edge] | min) * unit + left | round2;
# Bars of one comparison stand together: warm, then cold.
def groups:
    [.pairs[] | select(.beside)]
    | reduce .[] as $p ([];
        [$p.what, $p.on, $p.beside.name] as $key
        | (map(.key == $key) | index(true)) as $at
        | if $at != null then .[$at].bars += [$p] else . + [{key: $key, bars: [$p]}] end);
def placed: reduce .[] as $g ({y: top, groups: []};
    .groups += [$g + {y: .y}] | .y += ([($g.bars | length) * (bar + 3) + 13, 32] | max));
def drawn:
    .beside.ratio as $r
    | (if $r.median < 1 then "ours" else "theirs" end) as $who
    | "<rect class=\"\($who) \(.pace)\" x=\"\(left)\" y=\"\(.y)\" width=\"\($r.median | x - left)\" height=\"\(bar)\"><title>\(.what | @html), \(.on), \(.pace): \(.ours.median | round2) \(.unit) beside \(.beside.theirs.median | round2) \(.unit)</title></rect>",
      (if $r.q3 <= edge then "<path class=\"spread\" d=\"M\($r.q1 | x) \(.y + bar / 2)H\($r.q3 | x)\"/>" else empty end),
      "<text class=\"figure\" x=\"\(((if $r.q3 <= edge then [$r.median, $r.q3] | max else $r.median end) | x) + 6)\" y=\"\(.y + bar - 1)\">\($r.median | digits)\(if $r.median > edge then " →" else "" end) <tspan class=\"faint\">\(.pace)</tspan></text>";
. as $all
| (groups | placed) as $p
| ($p.y + 34) as $height
| "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \($height)\" width=\"\(width)\" height=\"\($height)\" role=\"img\" aria-label=\"How long our commands take beside others: ratios of \($all.date[:10])\">",
  "<style>
svg { --paper: #ffffff; --ink: #1f2328; --faint: #656d76; --line: #d0d7de; --ours: #1a7f64; --ours-cold: #57ab94; --theirs: #bc4c00; --theirs-cold: #de8a57; background: var(--paper); font: 12px system-ui, -apple-system, \"Segoe UI\", \"Noto Sans\", sans-serif }
@media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --faint: #8d96a0; --line: #30363d; --ours: #3fb68b; --ours-cold: #25745a; --theirs: #f0883e; --theirs-cold: #9a5723 } }
text { fill: var(--ink) } .faint, .axis { fill: var(--faint) } .head { font-size: 17px; font-weight: 600 }
.label { text-anchor: end } .figure { font-size: 11px; font-variant-numeric: tabular-nums } .axis { font-size: 11px; text-anchor: middle }
.paper { fill: var(--paper) } .grid { stroke: var(--line) } .one { stroke: var(--ink); stroke-dasharray: 3 3 } .spread { stroke: var(--ink); stroke-width: 2; opacity: .65 }
.ours { fill: var(--ours) } .ours.cold { fill: var(--ours-cold) } .theirs { fill: var(--theirs) } .theirs.cold { fill: var(--theirs-cold) }
</style>",
  "<rect class=\"paper\" width=\"\(width)\" height=\"\($height)\"/>",
  "<text class=\"head\" x=\"24\" y=\"34\">Time of our commands by the time of others: shorter is quicker</text>",
  "<text class=\"faint\" x=\"24\" y=\"54\">Medians of ratios taken run by run, the line is from quartile to quartile. \([$all.machine[][1]] | .[1:4] | join(", ") | @html), \($all.date[:10])</text>",
  (range(0; 4) | . * 0.5 | "<path class=\"\(if . == 1 then "one" else "grid" end)\" d=\"M\(x) \(top - 12)V\($p.y)\"/>", "<text class=\"axis\" x=\"\(x)\" y=\"\(top - 17)\">\(if . == 1 then "as long as theirs" else digits end)</text>"),
  ($p.groups[]
    | .y as $y
    | ($y + (.bars | length) * (bar + 3) / 2) as $middle
    | "<text class=\"label\" x=\"\(left - 10)\" y=\"\($middle - 1)\">\(.key[0] | @html)</text>",
      "<text class=\"label faint\" font-size=\"10.5\" x=\"\(left - 10)\" y=\"\($middle + 11)\">beside \(.key[2] | @html), \(.key[1])</text>",
      (.bars | to_entries[] | .key as $i | .value + {y: ($y + $i * (bar + 3))} | drawn)),
  "</svg>"
' "$1"

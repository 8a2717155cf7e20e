# shellcheck shell=sh
# What the pictures share: colours for both themes, and the frame. `theme WIDTH HEIGHT LABEL` begins one.
theme() {
    cat <<SVG
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $1 $2" width="$1" height="$2" role="img" aria-label="$3">
<style>
svg { --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d0d7de; --box: #f6f8fa; --one: #0969da; --two: #1a7f64; --three: #bc4c00; --four: #8250df; background: var(--paper); font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif }
@media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --box: #151b23; --one: #4493f8; --two: #3fb68b; --three: #f0883e; --four: #ab7df8 } }
text { fill: var(--ink) } .faint { fill: var(--faint); font-size: 11px } .head { font-size: 17px; font-weight: 600 } .name { font-weight: 600 }
.paper { fill: var(--paper) } .box { fill: var(--box); stroke: var(--line) } .line { stroke: var(--line); fill: none }
.one { fill: var(--one) } .two { fill: var(--two) } .three { fill: var(--three) } .four { fill: var(--four) } .middle { text-anchor: middle }
.arrow { stroke: var(--faint); stroke-width: 1.4; fill: none } .tip { fill: var(--faint) }
</style>
<rect class="paper" width="$1" height="$2"/>
SVG
}

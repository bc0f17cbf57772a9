"""How a report looks: on a wide screen and a narrow one, in light and dark, and on paper."""

LINE_STYLES = 6
"""Lines that can be told apart in one drawing, by colour and by stroke."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fff; --ink: #1c1e21; --soft: #5b626b; --rule: #d6dade; --box: #f4f6f8; --link: #0b5cad;
  --better: #0b5cad; --worse: #a83c00; --gap: #8a1c4a; --shade: .1;
  --color0: #0b62b5; --color1: #c4500a; --color2: #00795a; --color3: #b0307a; --color4: #7a5c00; --color5: #5a5f66;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --ink: #e6e8ea; --soft: #a2a9b1; --rule: #3a3f45; --box: #202327; --link: #7fb8f5;
    --better: #7fb8f5; --worse: #ffa366; --gap: #ff9cc4; --shade: .15;
    --color0: #6db3ff; --color1: #ff9e57; --color2: #3fd1a4; --color3: #ff8fcb; --color4: #e0c341; --color5: #b4bac2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 80rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word;
}
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p, ul, dl { max-width: 52rem; }
a { color: var(--link); }
code, pre { font: .85em/1.45 ui-monospace, monospace; }
pre { background: var(--box); padding: .75rem; overflow: auto; max-height: 30rem; }
small, figcaption { color: var(--soft); font-size: .85rem; max-width: 52rem; } small { font-size: .8rem; }
.drawings figcaption, .panels figcaption, .pictures figcaption { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; padding: 0; list-style: none; max-width: none; }
.notices { border-left: 4px solid var(--worse); background: var(--box); padding: .1rem 1rem; max-width: 52rem; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
tr th:first-child { position: sticky; left: 0; background: var(--page); min-width: 6rem; }
table, .number { font-variant-numeric: tabular-nums; }
td small { display: block; max-width: 17rem; }
.nowrap { white-space: nowrap; }
.better { color: var(--better); } .worse { color: var(--worse); } .tie, .untested { color: var(--soft); }
.gap { color: var(--gap); }
details { margin: .5rem 0; } details details { margin-left: 1rem; }
summary { cursor: pointer; padding: .2rem 0; }
figure { margin: 0; min-width: 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; }
.drawings { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.panels { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } .pictures figure { max-width: 30rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; list-style: none; font-size: .9rem; }
.legend svg { width: 34px; height: 10px; margin-right: .4rem; }
svg.curves { display: block; width: 100%; height: auto; font-size: 11px; }
svg text { fill: var(--ink); } svg .tick { fill: var(--soft); }
svg path { fill: none; stroke-linejoin: round; }
svg .grid { stroke: var(--rule); stroke-width: .6; } svg .axis { stroke: var(--soft); }
svg .band { fill: var(--color); opacity: var(--shade); }
svg .seed { stroke: var(--color); stroke-width: .8; opacity: .55; } svg .unfinished { stroke-dasharray: 2 3; }
svg .mean { stroke: var(--color); stroke-width: 2; stroke-dasharray: var(--dash); } svg .end { fill: var(--color); }
.line0 { --color: var(--color0); --dash: none; } .line1 { --color: var(--color1); --dash: 7 3; }
.line2 { --color: var(--color2); --dash: 2 3; } .line3 { --color: var(--color3); --dash: 8 3 2 3; }
.line4 { --color: var(--color4); --dash: 12 4; } .line5 { --color: var(--color5); --dash: 4 2; }
svg.cell { display: block; width: 130px; height: 15px; margin: .15rem 0; }
svg .reference { stroke: var(--soft); stroke-dasharray: 1 2; } svg .interval { stroke: var(--ink); stroke-width: 1.4; }
svg .dot { fill: var(--color1); } svg .point { fill: var(--ink); }
svg .claim { stroke: var(--color3); stroke-width: 1.3; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
  tr th:first-child { max-width: 8rem; font-size: .8rem; }
}
@media print {
  :root { color-scheme: light; }
  body { max-width: none; font-size: 10pt; } nav { display: none; }
  .scroll, pre { overflow: visible; max-height: none; } pre { white-space: pre-wrap; }
  .drawings { grid-template-columns: 1fr 1fr; } .drawings figure, .panels figure, img, tr { break-inside: avoid; }
  h2, h3, summary { break-after: avoid; }
  section:not(#configurations) details::details-content { content-visibility: visible; block-size: auto; }
}
"""

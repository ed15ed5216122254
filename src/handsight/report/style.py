"""The look of a page: one style sheet, light and dark, phone and desktop."""

STYLE = """
:root{--paper:#fcfbf9;--card:#fff;--ink:#1d2125;--quiet:#62686f;--line:#e3e0da;--accent:#0b6e75;
--good:#1a7f4b;--bad:#b3412f;--l:.58;--c:.13;
--c0:#0b6e75;--c1:#c2571a;--c2:#6a51a3;--c3:#2f7d32;--c4:#b02a6b;--c5:#8a6d00}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--card:#1b1f23;--ink:#e6e4df;--quiet:#9aa1a8;
--line:#31373d;
--accent:#62c3c9;--good:#5ec98c;--bad:#ee8b76;--l:.74;--c:.12;
--c0:#5cc3c9;--c1:#f0975a;--c2:#b09bec;--c3:#7fca83;--c4:#ee86b7;--c5:#d9bd54}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:76rem;padding:3rem 1.5rem 4rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
overflow-wrap:anywhere}
h1,h2,h3{font-weight:600;line-height:1.2;letter-spacing:-.01em;text-wrap:balance}
h1{font-size:2.2rem;margin:0 0 1rem}
h2{font-size:1.45rem;margin:0 0 .75rem;scroll-margin-top:1rem}
h3{font-size:1.05rem;margin:2rem 0 .5rem}
p,.words,.notes{max-width:44rem}
p{margin:0 0 .75rem}
header p{font-size:1.1rem;margin:0 0 .4rem}
a{color:var(--accent);text-underline-offset:.15em;text-decoration-thickness:1px}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--accent);
outline-offset:2px}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;list-style:none;margin:1.6rem 0 0;padding:0}
section{margin-top:2.6rem;padding-top:2rem;border-top:1px solid var(--line)}
section.missing{padding-top:1.2rem;margin-top:1.6rem}
section.missing h2{font-size:1rem;margin:0 0 .2rem;color:var(--quiet)}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--quiet);
font-size:.875rem}
.quiet,.note{color:var(--quiet)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
figure{margin:0}
img{display:block;max-width:100%;height:auto;border-radius:.3rem}
.wide{overflow-x:auto;position:relative;max-width:100%}
details{margin:1.2rem 0}
summary{cursor:pointer;color:var(--accent)}
pre{overflow:auto;max-height:32rem;padding:1rem;border:1px solid var(--line);border-radius:.4rem;
background:var(--card);
font:.8125rem/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:left;color:var(--quiet);padding-bottom:.4rem}
th,td{text-align:right;padding:.5rem .9rem;border-bottom:1px solid var(--line);vertical-align:baseline}
thead th{font-weight:500;color:var(--quiet);font-size:.875rem;vertical-align:bottom}
th:first-child{text-align:left;padding-left:0;font-weight:500;position:sticky;left:0;
background:var(--paper)}
.facts td,.facts th{text-align:left;overflow-wrap:anywhere}
.figures .mean{font-size:1.05rem}
.figures .ends{display:block;color:var(--quiet);font-size:.78rem;white-space:nowrap}
.figures strong{color:var(--accent);font-weight:700}
.figures tbody th{white-space:nowrap}
.notes,.words{padding-left:1.1rem;margin:.5rem 0 1rem}
.notes{color:var(--quiet);font-size:.875rem}
.words li{margin:.25rem 0}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:1.2rem;
margin:1rem 0}
.panels.pairs{grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),28rem))}
.panel{padding:.9rem 1rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);
min-width:0}
.panel figcaption{font-weight:500;font-size:.9375rem;margin-bottom:.5rem}
svg{display:block;overflow:visible}
.plot,.map{width:100%;height:auto;font-family:inherit}
.plot text{font-size:11px;fill:var(--ink)}
.plot .tick{fill:var(--quiet);font-size:10.5px}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.axis{stroke:var(--quiet);stroke-width:1;fill:none;opacity:.6}
.mark{stroke:var(--quiet);stroke-width:1;stroke-dasharray:3 3;fill:none}
.line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}
.c5{color:var(--c5)}
.plot circle{fill:currentColor}
.whisker{stroke:var(--quiet);stroke-width:2;stroke-linecap:round;opacity:.65}
.row circle{fill:var(--ink)}
.plot .strong text{font-weight:700}
.strong circle{fill:var(--accent)}.strong .whisker{stroke:var(--accent)}
.legend,.key{display:flex;flex-wrap:wrap;gap:.3rem 1.3rem;list-style:none;padding:0;margin:.8rem 0;
font-size:.9375rem}
.legend li,.key li{display:flex;align-items:center;gap:.45rem}
.legend svg{width:32px;height:12px}
.key{gap:.2rem 1rem;font-size:.85rem}
.key li{cursor:default;transition:opacity .15s}
.swatch{width:.7rem;height:.7rem;border-radius:50%;
background:oklch(calc(var(--l) + (var(--step) - 1)*.09) var(--c) var(--hue))}
.points{fill:none;stroke:oklch(calc(var(--l) + (var(--step) - 1)*.09) var(--c) var(--hue));stroke-width:4.5;
stroke-linecap:round;opacity:.75;transition:opacity .15s}
.names>g{transition:opacity .15s;cursor:default}
.names text{font-size:10px;font-weight:600;fill:var(--ink);paint-order:stroke;stroke:var(--card);
stroke-width:3.5px;
stroke-linejoin:round}
.names .rim{fill:none;stroke:oklch(calc(var(--l) + (var(--step) - 1)*.09) var(--c) var(--hue));
stroke-width:1.6}
.maps .panels{grid-template-columns:repeat(auto-fill,minmax(min(100%,28rem),1fr))}
.clip{display:flex;gap:1.4rem;align-items:center;padding:1rem 0;border-bottom:1px solid var(--line)}
.clip:last-child{border-bottom:0}
.mover{flex:0 0 8.5rem}
.mover img{width:100%}
.mover figcaption{margin-top:.4rem;font-size:.9375rem;line-height:1.3}
.strip{display:flex;align-items:center;gap:4px;list-style:none;margin:0;padding:2px}
.strip li{flex:none}
.strip img{height:72px;width:auto;max-width:none}
.step{width:46px;text-align:center;line-height:1}
.dial{width:36px;height:36px;margin:0 auto 3px}
.dial .rim{fill:none;stroke:var(--line);stroke-width:1.5}
.sector{fill:var(--accent);opacity:.16}
.arc{fill:none;stroke:var(--accent);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.degrees{font-size:.78rem;font-variant-numeric:tabular-nums;color:var(--quiet);white-space:nowrap}
.entries{padding:6px 2px 0;font-size:.78rem}
.entry{display:flex;gap:.7rem;align-items:center;line-height:1.2;white-space:nowrap}
.bars{height:24px;flex:none;fill:var(--accent)}
.bars .axis{opacity:.35}
.query{display:grid;grid-template-columns:7rem minmax(0,1fr);gap:.8rem 1.6rem;padding:1.3rem 0;
border-bottom:1px solid var(--line);
align-items:start}
.asked{font-size:.9375rem;line-height:1.3}
.asked img{width:100%;margin-bottom:.4rem}
.answers{display:grid;gap:.7rem}
.answers>div{display:grid;grid-template-columns:8rem minmax(0,1fr);align-items:center;gap:.6rem}
.answers>div>:only-child{grid-column:1/-1}
.encoder{margin:0;font-size:.875rem;line-height:1.25}
.found{display:flex;gap:.6rem;list-style:none;margin:0;padding:2px;overflow-x:auto}
.found li{position:relative;flex:none;width:5.6rem;font-size:.72rem;line-height:1.2;color:var(--quiet)}
.found img{width:100%;border:2px solid currentColor;margin-bottom:.2rem}
.found .right img{border-color:var(--good)}
.found .wrong img{border:2px dashed color-mix(in srgb,var(--bad) 60%,transparent)}
.sign{position:absolute;top:4px;right:4px;width:1.15rem;height:1.15rem;border-radius:50%;display:grid;
place-items:center;
font-size:.75rem;font-weight:700;background:var(--card)}
.right .sign{color:var(--good)}.wrong .sign{color:var(--bad)}
@media (max-width:40rem){
body{padding:1.6rem 1rem 3rem}
h1{font-size:1.7rem}
section{margin-top:2rem;padding-top:1.5rem}
.clip{flex-direction:column;align-items:stretch;gap:.7rem}
.mover{display:flex;gap:.9rem;align-items:center;flex:none}
.mover picture{flex:0 0 6rem}
th,td{padding:.45rem .6rem}
.query{grid-template-columns:minmax(0,1fr)}
.found{gap:.3rem}
.found li{flex:1 1 0;width:auto;min-width:0;font-size:.62rem;hyphens:auto}
.found img{border-width:1.5px}
.sign{top:2px;right:2px;width:.9rem;height:.9rem;font-size:.6rem}
.entry{flex-direction:column-reverse;align-items:flex-start;gap:0}
.entry>span{position:sticky;left:0}
.asked{display:flex;gap:.9rem;align-items:center}
.asked img{width:5rem;margin:0}
.answers>div{grid-template-columns:minmax(0,1fr);gap:.1rem}
}
@media print{body{max-width:none;padding:0}nav{display:none}section{break-inside:auto}
.panel,.query,.clip{break-inside:avoid}}
""".strip()

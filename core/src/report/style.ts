export const STYLE = `
:root { color-scheme: light dark; --ink: #1f2430; --pale: #6b7280; --line: #d7dbe2; --back: #fff; --bar: #3b76c4; --hot: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e6ec; --pale: #98a1b0; --line: #353b47; --back: #14171d; --bar: #6ea3e8; --hot: #fb923c; }
}
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 16px; overflow-wrap: anywhere; } h2 { font-size: 18px; margin: 36px 0 8px; }
p { max-width: 75ch; margin: 8px 0 16px; }
dl { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 0; } dt { color: var(--pale); font-size: 13px; } dd { margin: 0; font-weight: 600; }
.notes { color: var(--pale); padding-left: 20px; overflow-wrap: anywhere; }
.charts { display: flex; flex-wrap: wrap; gap: 16px 24px; align-items: flex-start; }
figure { margin: 0; max-width: 100%; } figcaption { font-weight: 600; margin-bottom: 4px; }
figcaption small { display: block; font-weight: 400; color: var(--pale); }
svg { display: block; max-width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--pale); }
.grid { stroke: var(--line); } .axis { stroke: var(--pale); } .bar { fill: var(--bar); }
.threshold { stroke: var(--hot); stroke-width: 1.5; stroke-dasharray: 4 3; }
path { fill: none; } path.all { stroke: var(--bar); stroke-width: 2.5; } path.block { stroke: var(--pale); stroke-width: 1; opacity: .7; }
path.ideal { stroke: var(--hot); stroke-dasharray: 2 4; }
.key { display: inline-block; width: 22px; margin: 0 4px 3px 10px; border-top: 2.5px solid var(--bar); }
.key.block { border-top: 1px solid var(--pale); } .key.ideal { border-top: 2px dotted var(--hot); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--pale); font-weight: 600; } tbody th { font-weight: 500; }
.total th, .total td { font-weight: 700; border-bottom: 0; } .pale { color: var(--pale); } .wide { overflow-x: auto; }
pre { overflow-x: auto; font-size: 12px; color: var(--pale); }
`

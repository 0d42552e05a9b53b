"""How the report looks: one style sheet for screen and paper; readable in black and white."""

STYLE = """
html{color:#14181d;background:#fff}
:root{font:14px/1.45 "Noto Sans CJK KR","Noto Sans KR","Malgun Gothic",system-ui,sans-serif}
body{margin:0}main{max-width:760px;margin:0 auto;padding:20px}
h1{font-size:24px;margin:0}h2{font-size:16px;margin:22px 0 6px;border-bottom:2px solid #14181d;padding-bottom:2px}
header p{margin:2px 0 12px;color:#4a5563}.notice{border:2px solid #b45309;padding:6px 10px;font-weight:600}
.cards{display:grid;grid-template-columns:repeat(4,1fr);gap:8px}
.cards div{border:1px solid #9aa4b1;border-radius:6px;padding:8px 10px;display:flex;flex-direction:column}
.cards b{font-size:17px;font-variant-numeric:tabular-nums}.cards span{color:#4a5563;font-size:12px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:12px;font-variant-numeric:tabular-nums}
table.narrow{width:auto;min-width:50%}
th,td{border-bottom:1px solid #c6ccd4;padding:3px 6px;text-align:left;vertical-align:top}
th{font-weight:600;color:#4a5563}td{overflow-wrap:anywhere;word-break:keep-all}
td.count{white-space:nowrap}
tr.part td{color:#4a5563;padding-left:22px}
td.pass{color:#166534;font-weight:600}td.fail{color:#b00020;font-weight:700}td.none,td.how{color:#4a5563}
.kpi td:nth-child(2),.kpi td:nth-child(4){white-space:nowrap}td.how{width:34%}
figure{margin:14px 0 0}figcaption{font-weight:600;margin-bottom:2px}svg{width:100%;height:auto;display:block}
svg text{font-size:11px;fill:#4a5563}.scale,.row{text-anchor:end}.label{text-anchor:middle}.bar{fill:#2b6cb0}
.grid{stroke:#dde2e8;stroke-width:1}td.box{font-size:18px;line-height:1;width:3em}td.note{min-width:12em}
.sign{margin-top:26px;border-bottom:1px solid #14181d;padding-bottom:2px}
@media screen and (max-width:700px){.wide table:not(.narrow){min-width:640px}}
@media(max-width:560px){.cards{grid-template-columns:repeat(2,1fr)}}
@page{size:A4;margin:14mm}
@media print{main{max-width:none;padding:0}.bar{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.wide{overflow:visible}thead{display:table-header-group}tr,figure,.cards,.cost,.checklist{break-inside:avoid}h2{break-after:avoid}}
"""

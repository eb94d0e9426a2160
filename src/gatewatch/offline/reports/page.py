"""The page around a report: one file, with its style inside, that asks nothing of the network and runs no script."""

import html

from gatewatch.offline.reports.words import plain

CSS = """
:root{color-scheme:light dark;--bg:#fff;--panel:#fafaf9;--line:#e4e4e1;--text:#1f1f1d;--dim:#696965;--pass:#0f825e;
--fail:#7f230b;--unsure:#7860a0;--base:#24418d;--warn:#8a6100;--accent:#4338ca;--live:#3d3d3a;--del:#7f230b1a;
--ins:#0f825e1f;--tint-pass:#0f825e12;--tint-fail:#7f230b12;--tint-unsure:#7860a012;--tint-warn:#8a610012}
@media(prefers-color-scheme:dark){:root{--bg:#16181b;--panel:#1b1e22;--line:#2c3036;--text:#e7e7e3;--dim:#9b9b96;
--pass:#4ae6d6;--fail:#ec6e38;--unsure:#989898;--base:#6daaf8;--warn:#e3b341;--accent:#a5a0ff;--live:#d8d8d4;
--del:#ec6e3833;--ins:#4ae6d626;--tint-pass:#4ae6d614;--tint-fail:#ec6e381a;--tint-unsure:#98989814;
--tint-warn:#e3b34114}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:13px/20px Inter,ui-sans-serif,system-ui,-apple-system,
"Segoe UI","Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:24px 24px 48px}
h2{font-size:14px;line-height:20px;font-weight:600;margin:32px 0 8px}
h2 small{font-weight:400;color:var(--dim);font-size:12px;margin-left:8px}
code,.id,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
.dim{color:var(--dim)}.small{font-size:12px;line-height:18px}
.top{display:flex;gap:8px 16px;flex-wrap:wrap;align-items:baseline;font-size:12px;color:var(--dim);margin-bottom:12px}
.top b{color:var(--text);font-size:14px;font-weight:600}
.verdict{border:1px solid var(--line);border-left:3px solid var(--status);border-radius:8px;padding:16px 20px;
background:var(--tint)}
.verdict h1{margin:0;font-size:24px;line-height:32px;font-weight:600;letter-spacing:-.02em;color:var(--status)}
.verdict p{margin:4px 0 0;font-size:14px}
.verdict ul{margin:8px 0 0;padding-left:18px}
.verdict .rule{margin-top:12px;font-size:12px;line-height:18px;color:var(--dim)}
.PASS{--status:var(--pass);--tint:var(--tint-pass)}.REGRESSED{--status:var(--fail);--tint:var(--tint-fail)}
.UNDECIDED{--status:var(--unsure);--tint:var(--tint-unsure)}
.NOT_COMPARABLE{--status:var(--warn);--tint:var(--tint-warn)}
.note{margin:8px 0 0;color:var(--warn)}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%}
th{font-size:11px;line-height:16px;font-weight:500;color:var(--dim);text-align:left;padding:8px 12px;white-space:nowrap;
background:var(--panel);border-bottom:1px solid var(--line)}
td{padding:6px 12px;border-bottom:1px solid var(--line);vertical-align:middle}
tr:last-child td{border-bottom:0}
.num{text-align:right;white-space:nowrap}.name{font-weight:500;overflow-wrap:anywhere;min-width:96px}
.chip{display:inline-block;border:1px solid var(--line);border-radius:4px;padding:0 6px;font-size:11px;line-height:18px;
color:var(--dim);white-space:nowrap;max-width:100%;overflow:hidden;text-overflow:ellipsis;vertical-align:middle}
.chip.status{color:var(--status);border-color:currentColor;background:var(--tint)}
.fell,.loss{color:var(--fail)}.rose,.win{color:var(--pass)}.unsure{color:var(--unsure)}
svg{display:block}
.axis{fill:var(--dim);font-size:10px}.zero{stroke:var(--dim)}.limit{stroke:var(--base);stroke-dasharray:2 2}
.mark{stroke:var(--live);fill:var(--live)}.mark.fell{stroke:var(--fail);fill:var(--fail)}
.mark.rose{stroke:var(--pass);fill:var(--pass)}.mark .hollow{fill:var(--bg)}
dl{display:grid;grid-template-columns:88px 1fr;margin:16px 0 0;gap:0 12px;padding:0 12px}
.case.facts{margin-top:8px}.facts dl{margin:0;padding:0}
dt{color:var(--dim);padding:2px 0}dd{margin:0;padding:2px 0;overflow-wrap:anywhere}
.case{border:1px solid var(--line);border-radius:8px;margin:0 0 8px}
summary{cursor:pointer;padding:7px 12px;display:flex;gap:4px 10px;align-items:center;flex-wrap:wrap;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"›";color:var(--dim);width:8px;transition:transform .12s}
details[open]>summary::before{transform:rotate(90deg)}
details[open]>summary{border-bottom:1px solid var(--line)}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:6px}
summary .id{font-weight:600;overflow-wrap:anywhere}summary .sign{width:12px;text-align:center;font-weight:600}
.inside{padding:12px 16px 16px}
.label{font-size:11px;line-height:16px;color:var(--dim);margin:10px 0 2px}.label:first-child{margin-top:0}
.text{white-space:pre-wrap;overflow-wrap:anywhere;max-height:480px;overflow:auto}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin-top:10px}
.side{border:1px solid var(--line);border-radius:6px;padding:8px 12px;min-width:0}
.side .label{margin-top:0}
del{background:var(--del);text-decoration:line-through;text-decoration-color:var(--fail);border-radius:2px}
ins{background:var(--ins);text-decoration:underline;text-decoration-color:var(--pass);text-underline-offset:2px;
border-radius:2px}
.error{color:var(--warn)}
.scores{margin-top:12px}.scores td{font-size:12px;line-height:18px;vertical-align:top}
footer{margin-top:32px;padding-top:12px;border-top:1px solid var(--line);font-size:12px;line-height:18px;
color:var(--dim)}
@media(max-width:720px){.sides{grid-template-columns:1fr}main{padding:16px}}
@media(prefers-reduced-motion:reduce){summary::before{transition:none}}
@media print{.case,.wide{break-inside:avoid}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Raw(str):
    """Markup that `tag` made, to be put in as it is; every other string is text."""

    __slots__ = ()


def text(value: str) -> Raw:
    """Text as it may stand in an element or an attribute."""
    return Raw(html.escape("\n".join(plain(line) for line in value.split("\n")), quote=True))


def tag(name: str, *content: str, **attributes: str) -> Raw:
    """An element; `class_` is the attribute class, and so on."""
    stated = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    inner = "".join(each if isinstance(each, Raw) else text(each) for each in content)
    return Raw(f"<{name}{stated}>{inner}</{name}>")


def joined(parts: "list[Raw]") -> Raw:
    """Elements one after the other."""
    return Raw("\n".join(parts))


def page(title: str, *content: Raw) -> str:
    """The whole file."""
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"{tag('title', title)}\n<style>{CSS}</style>"
    )
    body = tag("body", tag("main", joined([*content])))
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n{body}\n</html>\n'

"""HTML becomes the text that a human would read, whatever state it is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.channels.html_text import html_links, html_to_text
from omniroute.channels.links import MAX_LINKS, links_in

CASES = [
    ("plain", "plain"),
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("a<br>b<br/>c", "a\nb\nc"),
    ("a<br><br>b", "a\n\nb"),
    ("<b>bo</b>ld and <i>i</i>", "bold and i"),
    ("  many \n\t blanks  ", "many blanks"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    ("<ul><li>x</li><li>y</li></ul>", "- x\n- y"),
    (
        "<blockquote>said<blockquote>before</blockquote></blockquote>new",
        "> said\n> >\n> > before\n\nnew",
    ),
    ("<style>p{}</style><script>1<2</script>x", "x"),
    ("<head><title>t</title></head><body>x</body>", "x"),
    ("<head><title>never closed<body>x</body>", "x"),
    ("a<!-- hidden -->b", "ab"),
    ("a<!-- never closed", "a"),
    ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    ("&lt;b&gt; &amp; &nbsp; &#8364;", "<b> & €"),
    ('<img alt="a > b">x', "x"),
    ("<a href=\"it's\">x</a> <b title='never closed>y", "x y"),
    ("<p", ""),
    ("<", "<"),
    ("", ""),
    ("zero\u200bwidth", "zerowidth"),
]


@pytest.mark.parametrize(("html", "text"), CASES)
def test_text_of_html(html, text):
    assert html_to_text(html, 10_000) == text


@given(st.text(st.sampled_from("<>/!-'\"= abpr&;\n"), max_size=200))
def test_any_html_becomes_some_text(html):
    html_to_text(html, 10_000)
    html_links(html)


@given(st.lists(st.sampled_from(["p", "div", "b", "td", "li", "span", "blockquote"]), max_size=30))
def test_no_word_is_lost_between_tags(tags):
    html = "".join(f"<{tag}> word{n} </{tag}>" for n, tag in enumerate(tags))
    text = html_to_text(html, 10_000)
    assert [word for word in text.split() if word.startswith("word")] == [
        f"word{n}" for n in range(len(tags))
    ]


def test_deep_nesting_is_no_depth():
    assert html_to_text("<div>" * 200_000 + "x", 10_000) == "x"


def test_text_stops_at_the_limit():
    assert len(html_to_text("<p>0123456789</p>" * 1000, 100)) < 250


def test_links_are_targets_not_texts_and_never_scripts():
    html = (
        "<a href='https://a.example/?x=1&amp;y=2'>t</a><A HREF=http://b.example>t</A>"
        '<a class="x" href="javascript:alert(1)">t</a><a href="mailto:x@y">t</a>'
        '<a href="https://a.example/?x=1&amp;y=2">again</a><img src="https://c.example/p.gif">'
    )
    assert html_links(html) == ("https://a.example/?x=1&y=2", "http://b.example")


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/x.", ("https://a.example/x",)),
        ("(https://a.example/x)", ("https://a.example/x",)),
        ("https://a.example/x_(y)", ("https://a.example/x_(y)",)),
        ("<https://a.example>,http://b.example!", ("https://a.example", "http://b.example")),
        ("HTTPS://A.example", ("HTTPS://A.example",)),
        ("ftp://a.example xhttp://b.example http://", ()),
    ],
)
def test_links_in_text(text, links):
    assert links_in(text) == links


def test_only_so_many_links_are_kept():
    text = " ".join(f"https://example.org/{n}" for n in range(500))
    assert len(links_in(text)) == MAX_LINKS

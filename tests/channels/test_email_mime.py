"""The splitter against the standard library's parser, which is its meaning on good mail."""

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rows import rows
from omniroute.channels import Email, EmailLimits
from omniroute.channels.email_mime import read_tree, unix_lines

LIMITS = EmailLimits()

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n"),
    max_size=80,
)
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "Nd"]), min_size=1, max_size=20)


@st.composite
def parts(draw, depth=0):
    """A well-formed part, made by the standard library."""
    made = EmailMessage()
    kind = draw(st.sampled_from(["plain", "html", "file", "alternative", "mixed", "message"]))
    if kind in {"plain", "html"} or depth == 3:
        encoding = draw(st.sampled_from(["7bit", "quoted-printable", "base64", "8bit"]))
        text = draw(TEXT)
        encoding = encoding if encoding != "7bit" or text.isascii() else "8bit"
        made.set_content(text, subtype="html" if kind == "html" else "plain", cte=encoding)
    elif kind == "file":
        content = draw(st.binary(max_size=60))
        made.set_content(content, "application", "pdf", filename=draw(NAMES) + ".pdf")
    elif kind == "message":
        inner = EmailMessage()
        inner["Subject"] = "inner"
        inner.set_content("inner text")
        made.set_content(inner)
    else:
        made["Content-Type"] = f"multipart/{kind}"
        for child in draw(st.lists(parts(depth=depth + 1), min_size=1, max_size=3)):
            made.attach(child)
    return made


def leaves(message):
    """(content type, file name, content) of every part that has no parts, by the library."""
    if message.get_content_maintype() == "multipart":
        for child in message.get_payload():
            yield from leaves(child)
    elif message.get_content_type() == "message/rfc822":
        yield "message/rfc822", "", None
    else:
        content = message.get_payload(decode=True)
        yield message.get_content_type(), message.get_filename() or "", unix_lines(b"\0" + content)


def our_leaves(part):
    if part.content_type.startswith("multipart/"):
        for child in part.children:
            yield from our_leaves(child)
    elif part.content_type == "message/rfc822":
        yield "message/rfc822", "", None
    else:
        _, options = part.disposition()
        name = options.get("filename") or part.parameters.get("name", "")
        yield part.content_type, name, unix_lines(b"\0" + part.content())


@given(parts(), st.sampled_from(["\n", "\r\n"]))
def test_a_well_formed_mail_has_the_tree_that_the_library_sees(made, ending):
    made["From"] = "a@example.org"
    made["Subject"] = "outer"
    raw = made.as_bytes(policy=email.policy.SMTP.clone(linesep=ending))
    expected = list(leaves(email.message_from_bytes(raw, policy=email.policy.default)))
    lines = unix_lines(raw)
    tree = read_tree(lines, LIMITS)
    root = tree.root
    # A mail that is nothing but an attached message is opened; the library's walk is not.
    found = [("message/rfc822", "", None)] if root.content_type == "message/rfc822" else None
    assert (found or list(our_leaves(root))) == expected
    assert not tree.broken_limit


@pytest.mark.parametrize("row", rows("email"), ids=lambda row: row.file)
def test_recorded_mails_have_the_top_that_the_library_sees(row):
    """Only what the library reads without a defect: the others are why the splitter exists."""
    if len(row.raw) > 500_000:
        return
    seen = email.message_from_bytes(unix_lines(row.raw), policy=email.policy.compat32)
    defects = [defect for part in seen.walk() for defect in part.defects]
    if defects or not seen.is_multipart() or seen.get_content_type() == "message/rfc822":
        return
    tree = read_tree(unix_lines(row.raw), LIMITS)
    children = [child.content_type for child in tree.root.children]
    assert children == [child.get_content_type() for child in seen.get_payload()]


@given(parts())
def test_no_attachment_of_a_well_formed_mail_is_lost(made):
    made["From"] = "a@example.org"
    message = Email().read(made.as_bytes()).message
    files = [leaf for leaf in leaves(made) if leaf[0] in {"application/pdf", "message/rfc822"}]
    if made.get_content_type() == "message/rfc822":
        files = []
    kept = [file for file in message.attachments if not file.content_type.startswith("text/")]
    assert len(kept) == len(files)
    for file, (_, name, content) in zip(kept, files, strict=True):
        if content is not None:
            assert file.name == name

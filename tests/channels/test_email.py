"""E-mail: who wrote, which thread, what it says; and mail that no human wrote."""

import pytest

from omniroute.channels import Email, EmailLimits, Secrets, WebhookRequest
from omniroute.channels.email_address import Mailbox, mailboxes
from omniroute.channels.email_decode import charset_named, decode_bytes, decode_words
from omniroute.channels.email_headers import date_ms, message_ids, parameters
from omniroute.errors import SignatureError
from omniroute.model import Attachment, Disposition

EMAIL = Email()


def mail(*headers: str, body: str = "Hello", sender: str = "a@example.org") -> bytes:
    lines = [f"From: {sender}", *headers] if sender else list(headers)
    return ("\n".join(lines) + "\n\n" + body).encode("utf-8", "surrogateescape")


def read(*headers: str, **options):
    return EMAIL.read(mail(*headers, **options))


# --- addresses --------------------------------------------------------------------------

ADDRESSES = [
    ("a@example.org", [("a@example.org", "")]),
    ("Jane Doe <Jane@Example.ORG>", [("jane@example.org", "Jane Doe")]),
    ('"Doe, Jane" <jane@example.org>', [("jane@example.org", "Doe, Jane")]),
    ("Doe, Jane <jane@example.org>", [("jane@example.org", "Jane")]),
    ('"bob@example.org" <bob@example.net>', [("bob@example.net", "bob@example.org")]),
    ("bob@example.org <bob@example.net>", [("bob@example.net", "bob@example.org")]),
    ("jane@example.org (Jane Doe)", [("jane@example.org", "Jane Doe")]),
    ("Big Bug bb@bug.com", [("bb@bug.com", "Big Bug")]),
    ("a@example.org, b@example.org", [("a@example.org", ""), ("b@example.org", "")]),
    ("a@example.org b@example.org", [("a@example.org", ""), ("b@example.org", "")]),
    ("<a@example.org> <b@example.org>", [("a@example.org", ""), ("b@example.org", "")]),
    ("A <a@example.org, B <b@example.org>", [("a@example.org", "A"), ("b@example.org", "B")]),
    ("Team: a@example.org, B <b@example.org>;", [("a@example.org", ""), ("b@example.org", "B")]),
    ("undisclosed-recipients:;", []),
    ("Empty <>", []),
    ("", []),
    ("Nobody Here", []),
    ("foo", [("foo", "")]),
    ("MAILER-DAEMON (Mail Delivery System)", [("mailer-daemon", "Mail Delivery System")]),
    (", a@example.org,, ;", [("a@example.org", "")]),
    ("a @ example.org", [("a@example.org", "")]),
    ("'a@example.org'", [("a@example.org", "")]),
    ("<mailto:a@example.org>", [("a@example.org", "")]),
    ("<@relay.example,@b.example:a@example.org>", [("a@example.org", "")]),
    ('"two words"@example.org', [('"two words"@example.org', "")]),
    ("a@[192.0.2.1]", [("a@[192.0.2.1]", "")]),
    ('"unclosed <a@example.org>', [("a@example.org", "unclosed")]),
    ("=?utf-8?Q?J=C3=BCrgen=2C_M.?= <j@example.org>", [("j@example.org", "Jürgen, M.")]),
    ("=?utf-8?B?SmFuZSA8amFuZUBleGFtcGxlLm9yZz4=?=", [("jane@example.org", "Jane")]),
    (
        "Pete(A wonderful \\) chap) <pete(his account)@silly.test(his host)>",
        [("pete@silly.test", "Pete")],
    ),
    ("John <jdoe@machine(comment).  example>", [("jdoe@machine.example", "John")]),
    ("jdöe@mächine.example", [("jdöe@mächine.example", "")]),
]


@pytest.mark.parametrize(("value", "expected"), ADDRESSES)
def test_addresses_are_found_however_they_are_written(value, expected):
    assert mailboxes(value, 100) == ([Mailbox(*pair) for pair in expected], False)


def test_only_so_many_addresses_are_read():
    found, more = mailboxes(", ".join(f"a{n}@example.org" for n in range(600)), 500)
    assert len(found) == 500
    assert more


# --- headers ----------------------------------------------------------------------------


def test_adjacent_words_of_one_charset_are_decoded_together():
    assert decode_words("=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=") == "äö"
    assert decode_words("=?utf-8?B?ww==?= =?utf-8?B?pA==?=") == "ä"
    assert decode_words("a =?utf-8?Q?b?= c") == "a b c"


@pytest.mark.parametrize(
    ("raw", "label", "text"),
    [
        (b"\xe4", "", "ä"),
        ("ä".encode(), "", "ä"),
        ("ä".encode(), "us-ascii", "ä"),
        (b"\xe4", "utf-8", "�"),
        ("ä".encode(), "koi8-r", "ц╓"),
        ("ф".encode("koi8-r"), "koi8-r", "ф"),
        ("かな".encode("iso2022_jp"), "iso-2022-jp", "かな"),
        ("かな".encode("iso2022_jp"), "", "かな"),
        ("한국".encode("euc_kr"), "ks_c_5601-1987", "한국"),
        ("かな".encode("shift_jis"), "Shift_JIS", "かな"),
        (b"x", "utf-8;", "x"),
        (b"abc", "no-such-charset", "abc"),
        (b"a\0b", "utf-8", "ab"),
        ("ä".encode("utf-16-le"), "utf-16le", "ä"),
        (b"\x93", "iso-8859-1", "“"),
    ],
)
def test_charsets_are_claims(raw, label, text):
    assert decode_bytes(raw, label) == text


@pytest.mark.parametrize(
    "label", ["punycode", "idna", "zlib", "rot13", "unicode_escape", "x", "..", "a" * 999]
)
def test_codecs_that_are_no_charsets_are_not_used(label):
    assert charset_named(label) is None


@pytest.mark.parametrize(
    ("value", "main", "found"),
    [
        ("text/plain; charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ('text/plain; charset="utf-8";', "text/plain", {"charset": "utf-8"}),
        ("multipart/mixed boundary=b", "multipart/mixed", {"boundary": "b"}),
        ('a/b; name="x;y\\"z"; n=1', "a/b", {"name": 'x;y"z', "n": "1"}),
        ("a/b; charset*=ansi-x3.4-1968''us-ascii", "a/b", {"charset": "us-ascii"}),
        ("a/b; n*0*=utf-8''a%C3; n*1*=%A4", "a/b", {"n": "aä"}),
        ("a/b; n*0=a; n*1=b", "a/b", {"n": "ab"}),
        ("; filename=x", "", {"filename": "x"}),
        ("", "", {}),
    ],
)
def test_parameters(value, main, found):
    assert parameters(value) == (main, found)


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b> <c@d>", ["<a@b>", "<c@d>"]),
        ("<a@b>,\n <c@d>", ["<a@b>", "<c@d>"]),
        ('Your message of "Mon" <a@b>', ["<a@b>"]),
        ("a@b", ["a@b"]),
        ("<a@b@c>", ["<a@b@c>"]),
        ("<1 @ local(x) .example>", ["<1 @ local(x) .example>"]),
        ("<> < > <a@b>", ["<a@b>"]),
        ("nothing here", []),
    ],
)
def test_message_ids(value, ids):
    assert message_ids(value, 10) == ids


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("Sat, 20 Sep 2008 20:04:30 +0300 (EEST)", 1_221_930_270_000),
        ("20 Sep 2008 17:04:30 GMT", 1_221_930_270_000),
        ("not a date", None),
        ("", None),
        ("Mon, 1 Jan 9999999 00:00:00 +0000", None),
        ("Sat, 20 Sep 2008 99:99:99 +9999999999999", None),
        ("1 Jan 1900 00:00:00 +0000", None),
    ],
)
def test_dates(value, milliseconds):
    assert date_ms(value) == milliseconds


def test_a_field_with_a_blank_in_its_name_does_not_end_the_header():
    found = read("quite Delivered-To: x", "Subject: after it")
    assert found.message.subject == "after it"
    assert found.message.text == "Hello"


def test_a_forgotten_blank_line_loses_no_text():
    found = EMAIL.read(b"From: a@example.org\nSubject: s\nHello there\nsecond line")
    assert found.message.subject == "s"
    assert found.message.text == "Hello there\nsecond line"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_end_is_understood(ending):
    raw = ending.join(["From: a@example.org", "Subject: one", " two", "", "Hello", "you"])
    found = EMAIL.read(raw.encode()).message
    assert (found.subject, found.text) == ("one two", "Hello\nyou")


# --- identity and thread ----------------------------------------------------------------


def test_identity_comes_from_from_and_never_from_reply_to():
    found = read("Reply-To: b@example.org").message
    assert found.customer.id == "a@example.org"
    assert found.customer.addresses[0].value == "a@example.org"
    assert found.attributes["reply_to"] == "b@example.org"


def test_a_mail_without_a_sender_is_quarantined_with_its_text():
    found = read("Subject: s", sender="", body="who am I")
    assert found.disposition is Disposition.QUARANTINE
    assert "sender" in found.reason
    assert found.message.text == "who am I"


THREADS = [
    ((), Disposition.CREATE, None),
    (("References: <r@x> <s@x>", "In-Reply-To: <s@x>"), Disposition.APPEND, "<r@x>"),
    (("In-Reply-To: <s@x>",), Disposition.APPEND, "<s@x>"),
    (("References: ", "In-Reply-To: <s@x>"), Disposition.APPEND, "<s@x>"),
    (("References: <r@x>,\n <s@x>",), Disposition.APPEND, "<r@x>"),
    (("References: <own@x>",), Disposition.CREATE, "<own@x>"),
]


@pytest.mark.parametrize(("headers", "disposition", "thread"), THREADS)
def test_the_thread_is_the_first_reference(headers, disposition, thread):
    found = read("Message-ID: <own@x>", *headers)
    assert found.disposition is disposition
    assert found.message.message_id == "<own@x>"
    assert found.message.thread_id == (thread or "<own@x>")


def test_without_a_message_id_equal_mails_have_equal_ids_and_others_do_not():
    first, again, other = read("Date: x"), read("Date: x"), read("Date: x", body="Bye")
    assert first.message.message_id == again.message.message_id
    assert first.message.message_id != other.message.message_id
    assert first.message.thread_id == first.message.message_id


def test_the_envelope_says_what_the_customer_contacted():
    found = EMAIL.read(
        mail("To: list@example.net"), envelope_to=("help@example.com", "sales@example.com")
    ).message
    assert found.to == "help@example.com"
    assert found.attributes["envelope_to"] == ("help@example.com", "sales@example.com")
    assert read("To: help@example.net").message.to == "help@example.net"
    assert read("Delivered-To: box@example.net").message.to == "box@example.net"


def test_both_clocks_are_kept():
    found = read(
        "Received: from x by y; Sat, 20 Sep 2008 17:05:00 +0000",
        "Date: Sat, 20 Sep 2008 20:04:30 +0300",
    ).message
    assert found.sent_at_ms == 1_221_930_270_000
    assert found.attributes["relayed_at_ms"] == 1_221_930_300_000


def test_our_own_mailbox_opens_nothing():
    email = Email(own_addresses=["A@Example.org"])
    assert email.read(mail()).disposition is Disposition.OWN


def test_mail_is_never_accepted_over_a_webhook():
    with pytest.raises(SignatureError):
        EMAIL.verify(WebhookRequest(body=mail()), Secrets("x"))
    assert EMAIL.handshake(WebhookRequest(), Secrets()) is None


# --- machines ---------------------------------------------------------------------------

FORMULA = "This message was created automatically by mail delivery software."
MACHINES = [
    ((), {}, None),
    (("Auto-Submitted: no",), {}, None),
    (("Auto-Submitted: auto-replied",), {}, Disposition.AUTO),
    (("Auto-Submitted: auto-generated (failure)",), {}, Disposition.AUTO),
    (("Auto-Submitted: auto-notified; owner-email=x",), {}, Disposition.AUTO),
    (("X-Apple-Action: VACATION",), {}, Disposition.AUTO),
    (("X-Autoreply: yes",), {}, Disposition.AUTO),
    (("Precedence: auto_reply",), {}, Disposition.AUTO),
    (("Subject: Automatic reply: Invoice",), {}, Disposition.AUTO),
    (("Subject: Automatische Antwort: Rechnung",), {}, Disposition.AUTO),
    (("Subject: Réponse automatique : facture",), {}, Disposition.AUTO),
    (("Subject: Out of Office",), {}, Disposition.AUTO),
    (("Subject: Auto reply", "X-Auto-Response-Suppress: All"), {}, Disposition.AUTO),
    (("Return-Path: <>",), {}, Disposition.AUTO),
    # Words that people use, too.
    (("X-Auto-Response-Suppress: All",), {}, None),
    (("Subject: Automatic reply does not work in your product",), {}, None),
    (("Subject: Re: Automatic reply: Invoice",), {}, None),
    (("Subject: Auto insurance",), {}, None),
    (("Subject: Delivery failed, where is my parcel?",), {"body": "It was not delivered."}, None),
    (("Subject: Undelivered parcel",), {"body": "The courier was unable to deliver it"}, None),
    (("List-Unsubscribe: <mailto:x@y>",), {}, None),
    # Failed deliveries.
    ((), {"body": FORMULA}, Disposition.BOUNCE),
    ((), {"body": "I got this: " + FORMULA}, None),
    ((), {"body": "------- Failure Reasons  --------\n\nUser not listed"}, Disposition.BOUNCE),
    ((), {"sender": "MAILER-DAEMON@example.org"}, Disposition.BOUNCE),
    ((), {"sender": "Postmaster <postmaster@example.org>"}, Disposition.BOUNCE),
    (("X-Failed-Recipients: b@example.org",), {}, Disposition.BOUNCE),
    (("Subject: Undelivered Mail", "Return-Path: <>"), {}, Disposition.BOUNCE),
    (("Subject: Mail delivery failed",), {"body": FORMULA}, Disposition.BOUNCE),
    (
        ("Subject: Undeliverable: Invoice",),
        {"sender": "System Administrator <admin@example.org>"},
        Disposition.BOUNCE,
    ),
    (
        ("Subject: failure notice", "Auto-Submitted: auto-replied", "Return-Path: <>"),
        {},
        Disposition.BOUNCE,
    ),
    (
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b",),
        {"body": "--b\n\nfailed\n--b--"},
        Disposition.BOUNCE,
    ),
    # Reports.
    (
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b",),
        {"body": "--b\n\nread\n--b--"},
        Disposition.REPORT,
    ),
    (
        ("Content-Type: multipart/report; boundary=b",),
        {"body": "--b\nContent-Type: message/feedback-report\n\nx\n--b--"},
        Disposition.REPORT,
    ),
    (("Subject: complaint about message from 192.0.2.1",), {}, Disposition.REPORT),
    ((), {"body": "This is an email abuse report for an email message"}, Disposition.REPORT),
    # Lists.
    (("Precedence: bulk",), {}, Disposition.BULK),
    (("Precedence: Junk",), {}, Disposition.BULK),
    (("List-Id: <x.example.org>",), {}, Disposition.BULK),
]


@pytest.mark.parametrize(("headers", "options", "disposition"), MACHINES)
def test_machine_mail_is_told_from_letters(headers, options, disposition):
    found = read(*headers, **options)
    assert found.disposition is (disposition or Disposition.CREATE)
    assert bool(found.reason) == (disposition is not None)


def test_the_envelope_counts_more_than_return_path():
    raw = mail("Return-Path: <x@example.org>")
    assert EMAIL.read(raw, envelope_from="").disposition is Disposition.AUTO
    assert (
        EMAIL.read(mail("Return-Path: <>"), envelope_from="x@y").disposition is Disposition.CREATE
    )


def test_a_returned_message_that_a_person_attached_is_no_bounce():
    body = (
        "--b\n\nSee what came back\n--b\nContent-Type: message/rfc822\n\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=c\n\n"
        "--c\nContent-Type: message/delivery-status\n\nx\n--c--\n--b--"
    )
    found = read("Content-Type: multipart/mixed; boundary=b", body=body)
    assert found.disposition is Disposition.CREATE
    assert found.message.text == "See what came back"
    assert [file.content_type for file in found.message.attachments] == ["message/rfc822"]


# --- content ----------------------------------------------------------------------------


def test_plain_text_wins_over_html_and_links_come_from_both():
    body = (
        "--b\nContent-Type: text/html\n\n<p>H <a href='https://html.example/x'>t</a></p>\n"
        "--b\nContent-Type: text/plain\n\nsee https://text.example/y.\n--b--"
    )
    found = read("Content-Type: multipart/alternative; boundary=b", body=body).message
    assert found.text == "see https://text.example/y."
    assert set(found.links) == {"https://html.example/x", "https://text.example/y"}
    assert found.attachments == ()


def test_html_is_read_when_the_plain_text_is_empty():
    body = (
        "--b\nContent-Type: text/plain\n\n  \n--b\nContent-Type: text/html\n\n"
        "<style>x</style><p>Hi &amp; bye<br>you</p>\n--b--"
    )
    found = read("Content-Type: multipart/alternative; boundary=b", body=body).message
    assert found.text == "Hi & bye\nyou"


def test_html_may_name_its_charset_itself():
    raw = b"From: a@x\nContent-Type: text/html\n\n<meta charset=koi8-r><p>" + "ф".encode("koi8-r")
    assert EMAIL.read(raw).message.text == "ф"


def test_attachments_are_references_with_name_type_and_size():
    body = (
        "--b\n\ntext\n"
        "--b\nContent-Type: application/pdf; name=x.pdf\nContent-Transfer-Encoding: base64\n"
        'Content-Disposition: attachment; filename="../../etc/r\x01echnung.pdf"\n'
        "Content-ID: <c1>\n\nSGVs\nbG8=\n"
        "--b\nContent-Type: text/plain; name=notes.txt\n\nnotes\n--b--"
    )
    found = read("Content-Type: multipart/mixed; boundary=b", body=body).message
    assert found.text == "text"
    assert found.attachments == (
        Attachment("application/pdf", "rechnung.pdf", "cid:c1", 5),
        Attachment("text/plain", "notes.txt", "", 5),
    )


def test_an_unknown_transfer_encoding_leaves_the_text():
    assert read("Content-Transfer-Encoding: x-nonsense").message.text == "Hello"


BOUNDARIES = [
    ("multipart/mixed; boundary=b", "--b\n\nx\n--b--", "x"),
    ("multipart/mixed; boundary=b", "--b\n\nx", "x"),
    ("multipart/mixed boundary=b", "--b\n\nx\n--b--", "x"),
    ("multipart/mixed; boundary=b", "preamble\n--bb\n--b  \n\nx\n--bb\n--b--\nafter", "x\n--bb"),
    ("multipart/mixed", "no boundary", "no boundary"),
    ("multipart/mixed; boundary=never", "the text", "the text"),
    ("text/html; boundary=b", "<p>x</p>", "x"),
    (
        "multipart/mixed; boundary=b",
        "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--b\n\ny\n--b--",
        "x\ny",
    ),
]


@pytest.mark.parametrize(("kind", "body", "text"), BOUNDARIES)
def test_broken_boundaries_lose_no_text(kind, body, text):
    assert read(f"Content-Type: {kind}", body=body).message.text == text


# --- limits -----------------------------------------------------------------------------

TOO_MUCH = [
    ({"message_bytes": 100}, mail(body="x" * 200), "larger than 100"),
    ({"header_bytes": 100}, mail("X: " + "x" * 200), "header is too large"),
    (
        {"parts": 3},
        mail("Content-Type: multipart/mixed; boundary=b", body="--b\n\nx\n" * 5),
        "too many parts",
    ),
    (
        {"depth": 1},
        mail(
            "Content-Type: multipart/mixed; boundary=b",
            body="--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b--",
        ),
        "too deep",
    ),
]


@pytest.mark.parametrize(("limit", "raw", "reason"), TOO_MUCH)
def test_what_no_letter_is_ends_in_quarantine_with_its_sender(limit, raw, reason):
    found = Email(limits=EmailLimits(**limit)).read(raw)
    assert found.disposition is Disposition.QUARANTINE
    assert reason in found.reason
    assert found.message.customer.id == "a@example.org"
    assert found.message.message_id
    assert Email().read(raw).disposition is Disposition.CREATE


CUT = [
    ({"field_bytes": 50}, mail("X-Long: " + "x" * 100), "header"),
    ({"fields": 2}, mail("A: 1", "B: 2", "C: 3"), "header"),
    ({"addresses": 2}, mail("To: a@x, b@x, c@x"), "addresses"),
    ({"text_chars": 10}, mail(body="x" * 20), "text"),
    ({"html_chars": 10}, mail("Content-Type: text/html", body="<p>" + "x" * 20), "text"),
]


@pytest.mark.parametrize(("limit", "raw", "cut"), CUT)
def test_what_is_only_too_long_is_cut_and_routed(limit, raw, cut):
    found = Email(limits=EmailLimits(**limit)).read(raw)
    assert found.disposition is Disposition.CREATE
    assert found.message.attributes["cut"] == (cut,)
    assert "cut" not in Email().read(raw).message.attributes

"""What the customers of Lakeside Insurance write, and the real files that are sent beside it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parents[2] / "tests" / "data"

CLAIMS = "claims@lakeside.example"
BILLING = "billing@lakeside.example"
HELP = "help@lakeside.example"


class Letter(NamedTuple):
    """A mail to one of our mailboxes, in the customer's own words."""

    to: str
    sender: str
    subject: str
    text: str


LETTERS = (
    Letter(
        CLAIMS,
        "Lena Huber <lena.huber@example.com>",
        "Wasserschaden in der Küche",
        "Guten Tag, gestern Abend ist bei uns die Spülmaschine ausgelaufen und das Wasser steht"
        " unter dem Parkett. Wie melde ich den Schaden, und darf ich den Handwerker schon rufen?",
    ),
    Letter(
        CLAIMS,
        "Luc Favre <luc.favre@example.org>",
        "Vol de mon vélo",
        "Bonjour, mon vélo a été volé hier devant la gare. J'ai déposé plainte et je joindrai"
        " la facture. Quels documents vous faut-il encore pour le remboursement ?",
    ),
    Letter(
        CLAIMS,
        "Giulia Rossi <giulia.rossi@example.net>",
        "Incidente nel parcheggio",
        "Buongiorno, ieri qualcuno ha urtato la mia auto nel parcheggio del supermercato ed è"
        " andato via. Ho le fotografie dei danni, a chi le posso mandare?",
    ),
    Letter(
        CLAIMS,
        "Oliver Grant <oliver.grant@example.com>",
        "Claim 44-1902: anything missing?",
        "Hello, I sent the repair estimate two weeks ago and have not heard back since. Could"
        " you tell me whether anything is missing from my claim?",
    ),
    Letter(
        BILLING,
        "Martin Keller <martin.keller@example.com>",
        "Frage zur Rechnung",
        "Guten Tag, auf meiner letzten Rechnung steht die Hausratversicherung zweimal. Bitte"
        " prüfen Sie das und schicken Sie mir eine neue Rechnung.",
    ),
    Letter(
        BILLING,
        "Claire Morel <claire.morel@example.org>",
        "Facture payée deux fois",
        "Bonjour, la prime du mois de mars a été débitée deux fois de mon compte. Pouvez-vous me"
        " rembourser la différence, s'il vous plaît ?",
    ),
    Letter(
        BILLING,
        "Paolo Bianchi <paolo.bianchi@example.net>",
        "Pagamento a rate",
        "Buongiorno, vorrei pagare il premio annuale in quattro rate invece che in una sola"
        " volta. È possibile cambiare adesso il piano di pagamento?",
    ),
    Letter(
        BILLING,
        "Hannah Price <hannah.price@example.com>",
        "New bank account",
        "Good morning, I have changed my bank and would like the premium to be collected from"
        " the new account as of next month. Which form do I need to fill in?",
    ),
    Letter(
        HELP,
        "Stefan Wyss <stefan.wyss@example.com>",
        "App startet nicht mehr",
        "Seit dem letzten Update schliesst sich die App sofort wieder, sobald ich mich anmelden"
        " will. Ich habe sie schon zweimal neu installiert, leider ohne Erfolg.",
    ),
    Letter(
        HELP,
        "Amélie Roux <amelie.roux@example.org>",
        "Code de connexion",
        "Bonjour, je ne reçois plus le code de connexion par téléphone depuis que j'ai changé de"
        " numéro. Comment puis-je mettre à jour mon compte ?",
    ),
    Letter(
        HELP,
        "Nora Lind <nora.lind@example.com>",
        "Cannot upload photos",
        "Hi, every time I try to upload the photos of the damage your website says that the file"
        " is too large. Each of them has less than two megabytes.",
    ),
)

#: The second mail of a customer who has remembered something: it joins the first one.
AFTERTHOUGHT = "Entschuldigung, noch etwas: die Policennummer ist 7-3312. Vielen Dank und Gruss!"


class RealMail(NamedTuple):
    """A mail from the field, as it stands in ``tests/data/email``."""

    file: str
    to: str
    envelope_from: str = "customer@example.com"


REAL_MAILS = (
    RealMail("cpython__msg_14.eml", HELP),
    RealMail("flanker__8bitmime.eml", HELP),
    RealMail("mikel__plain_emails__basic_email.eml", HELP),
    RealMail("mikel__attachment_emails__attachment_pdf.eml", CLAIMS),
    RealMail("mikel__mime_emails__raw_email_with_nested_attachment.eml", CLAIMS),
    RealMail("mikel__multi_charset__japanese.eml", HELP),
    RealMail("mikel__plain_emails__raw_email_reply.eml", BILLING),
    RealMail("sisimai-not__is-not-bounce-02.eml", HELP),
    RealMail("talon__gmail.eml", BILLING),
    # 1.1 MB of HTML that was written to exhaust the memory of its reader
    RealMail("mailparser__outofmemory.eml", HELP),
    # nobody is named in From, and its parts overlap
    RealMail("stalwart__malformed__016.eml", HELP),
    # machines; an answer to them would start a loop
    RealMail("sisimai-CR__rfc3834-01.eml", CLAIMS, ""),
    RealMail("sisimai__rfc3834-02.eml", BILLING, ""),
    RealMail("sisimai__lhost-postfix-01.eml", BILLING, ""),
    RealMail("sisimai__lhost-exim-05.eml", HELP, ""),
    RealMail("flanker__bounce__mailbox-full.eml", CLAIMS, ""),
    RealMail("flanker__complaints__aol.eml", HELP, ""),
    RealMail("cpython__msg_02.eml", HELP, "list-admin@example.com"),
    RealMail("flanker__apache-message-news-mime.eml", HELP, "list-admin@example.com"),
)

#: What the router is meant to refuse: one sender is nobody, a mail and a call come twice.
REFUSED = {"quarantined": 1, "duplicates": 2}

CHATS = (
    "Hallo, deckt meine Reiseversicherung auch einen verpassten Anschlussflug?",
    "Guten Abend, wie kann ich meine Adresse bei Ihnen ändern? Ich bin gerade umgezogen.",
    "Bonjour, est-ce que mon assurance couvre la location d'une voiture à l'étranger ?",
    "Bonsoir, je voudrais savoir si vous assurez aussi les petits chiens de compagnie.",
    "Buongiorno, quanto costa assicurare una bicicletta elettrica contro il furto?",
    "Ciao, vorrei sapere come posso scaricare il certificato della mia assicurazione.",
    "Hi there, is a cracked phone screen covered by my household insurance?",
    "Hello, I would like to add my daughter to my travel insurance, how does that work?",
)

COMMENTS = (
    "Super schnelle Hilfe nach meinem Unfall, vielen Dank an das ganze Team!",
    "Ich warte seit drei Wochen auf eine Antwort. Das ist wirklich kein guter Service.",
    "Votre nouvelle application est très pratique, mais où sont passées mes factures ?",
    "Why does the website log me out every five minutes? Very annoying for your customers.",
    "Is this offer also available for students who live abroad for a year?",
)

#: The numbers of the centre. See the triage of ``centre.toml``.
EMERGENCY = "+41445550112"
NUMBERS = ("+41445550101", "+41445550101", "+41215550101", "+41445550102", "+41445550103")

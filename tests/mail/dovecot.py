"""A real mail server for tests: Dovecot on free loopback ports, LMTP in, IMAP out.

Any user name exists, with the password `PASSWORD`, and is made by its first mail. Everything is in
one new folder directly under the temporary folder: as root, Dovecot reads mail as `nobody`, who may
not look into pytest's own folders. As another user, all of it runs as that user.
"""

import getpass
import grp
import os
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from imapclient import IMAPClient

from omniroute.testing.servers import free_ports

PASSWORD = "open-sesame"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
LIMIT_S = 30

CONFIGURATION = """
base_dir = {home}/base
state_dir = {home}/state
log_path = {home}/log
instance_name = {home}
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/certificate.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
mail_location = maildir:{home}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  {chroot}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
  {chroot}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@example.com
}}
{owner}
{more}
"""


def program():
    found = shutil.which("dovecot", path=PATH)
    if found is None:
        missing = "dovecot is missing: apt-get install dovecot-core dovecot-imapd dovecot-lmtpd"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def write_certificate(home):
    """A certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "omniroute test")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    kind, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (home / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (home / "key.pem").write_bytes(key.private_bytes(pem, kind, secret))


def alive_in(group):
    """The processes of a group that have not ended, whether somebody has asked for that or not."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, number, *_ = status.read_text().rpartition(")")[2].split()
            if int(number) == group and state not in "XZ":
                found.append(int(status.parent.name))
    return found


class Dovecot:
    """One server: `start`, `kill` and `start` again keep its mails and its ports."""

    def __init__(self, more=""):
        self._program = program()
        self.home = Path(tempfile.mkdtemp(prefix="omniroute-mail-"))
        self.imap, self.imaps, self.lmtp = free_ports(3)
        for folder in ("base", "state", "mail"):
            (self.home / folder).mkdir()
        write_certificate(self.home)
        me = getpass.getuser()
        if os.geteuid() == 0:
            self.home.chmod(0o755)
            (self.home / "mail").chmod(0o777)
            user, group, chroot, owner = "nobody", "nogroup", "", ""
        else:
            user, group, chroot = me, grp.getgrgid(os.getegid()).gr_name, "chroot ="
            owner = f"default_internal_user = {me}\ndefault_login_user = {me}\n"
            owner += f"default_internal_group = {group}\nfirst_valid_uid = 1"
        ports = {"imap": self.imap, "imaps": self.imaps, "lmtp": self.lmtp}
        text = CONFIGURATION.format(
            home=self.home,
            password=PASSWORD,
            user=user,
            group=group,
            chroot=chroot,
            owner=owner,
            more=more,
            **ports,
        )
        (self.home / "dovecot.conf").write_text(text)
        self._running = None

    @property
    def tls_context(self):
        return ssl.create_default_context(cafile=str(self.home / "certificate.pem"))

    @property
    def log(self):
        with suppress(FileNotFoundError):
            return (self.home / "log").read_text()
        return ""

    def start(self):
        before = self.log.count("starting up")
        command = [self._program, "-F", "-c", str(self.home / "dovecot.conf")]
        self._running = subprocess.Popen(command, start_new_session=True)
        until = time.monotonic() + LIMIT_S
        while self.log.count("starting up") == before:  # it listens before it says so
            assert self._running.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.01)

    def kill(self, how=signal.SIGKILL):
        """End all its processes, at once.

        Those it had started listen until they are gone, too. One that dies while it numbers new
        mails leaves its lock behind, which the next server would respect for two minutes.
        """
        group = self._running.pid
        with suppress(ProcessLookupError):
            os.killpg(group, how)
        self._running.wait(LIMIT_S)
        until = time.monotonic() + LIMIT_S
        while alive_in(group):
            assert time.monotonic() < until, self.log
            time.sleep(0.01)
        for lock in (self.home / "mail").rglob("*.lock"):
            lock.unlink()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- what people do ---------------------------------------------------------------------

    def send(self, user, *mails, sender="jane@example.org"):
        """Mails come in from the outside."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as client:
            for mail in mails:
                client.sendmail(sender, [user], mail)

    def open(self, user, folder="INBOX"):
        """Another mail program of the user's."""
        return Mailbox(self, user, folder)


class Mailbox:
    """A mail program that looks at one folder."""

    def __init__(self, server, user, folder):
        self.client = IMAPClient("127.0.0.1", port=server.imap, ssl=False, timeout=LIMIT_S)
        self.client.login(user, PASSWORD)
        if not self.client.folder_exists(folder):
            self.client.create_folder(folder)
        self.folder = folder

    def __enter__(self):
        self.client.select_folder(self.folder)
        return self

    def __exit__(self, *_):
        self.client.shutdown()

    def append(self, *mails, flags=()):
        for mail in mails:
            self.client.append(self.folder, mail, flags)

    def find(self, *criteria):
        """The mails of that kind, by their numbers."""
        self.client.noop()
        return self.client.search(list(criteria) or "ALL")

    def wait(self, count, *criteria):
        """Wait until there are so many mails of that kind."""
        until = time.monotonic() + LIMIT_S
        while len(found := self.find(*criteria)) != count:
            assert time.monotonic() < until, (found, criteria, count)
            time.sleep(0.01)
        return found

    def flags(self, uid):
        return set(self.client.get_flags([uid])[uid])

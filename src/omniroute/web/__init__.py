"""The edges to the network: mail, webhooks, switches. Each module needs its own extra.

`omniroute.web.smtp.SmtpReceiver` (extra `email`), `omniroute.web.imap.ImapReceiver` (extra
`imap`) and `omniroute.web.webhooks.webhooks` (extra `web`) take what arrives, let
`omniroute.channels` read it, hand it to an async ``deliver`` (usually `Router.deliver`), and say
yes to the sender only after that returned.
Nothing is imported here, so that one extra is enough for one of them.
"""

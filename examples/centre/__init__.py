"""The parts of `omnichannel_centre.py`: what customers send, who answers, what is shown.

- `story`: what customers write, and the real mails and payloads from ``tests/data``
- `traffic`: when who calls, mails and posts; drawn from one seed
- `senders`: the outside world, as SMTP and HTTP clients
- `people`: the simulated human agents
- `screen`: the live table
- `report`: the summary, and the check that nothing was lost
"""

import sys
from harness.packet.sanitize import sanitized
t=sys.stdin.read()
r=sanitized(t,salt=b"x"); print(r.text); print(r.form,dict(r.counts))

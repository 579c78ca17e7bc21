"""Receives alerts as a webhook or a mail server does, or misbehaves as it is told. Standard library alone.

    receiver.py http|smtp BEHAVIOUR FOLDER [CERTIFICATE KEY]

Prints its port once it listens. With a certificate http and smtp speak TLS; `smtp starttls` only after STARTTLS. What it hears it
writes to FOLDER/heard before it answers. Ends when its standard input does.
"""
import base64
import os
import socket
import ssl
import sys
import threading

kind, behaviour, folder = sys.argv[1:4]
context = None
if len(sys.argv) > 5:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])


def hear(text):
    with open(folder + "/heard", "a") as file:
        file.write(text + "\n")


def hang():
    threading.Event().wait()


def http(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.readline(8192)
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    hear(head.decode() + stream.read(length[0]).decode())
    if behaviour == "hang":
        hang()
    answer = {
        "ok": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "slow": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "refuse": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        "move": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "garbage": b"\x00\xff\x17 what is this\r\n\r\n",
        "endless": b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 1000000,
        "close": b"",
    }[behaviour]
    stream.write(answer)
    stream.flush()


def smtp(stream, connection):
    def say(text):
        stream.write(text.encode() + b"\r\n")
        stream.flush()

    if behaviour == "hang":
        hang()
    if behaviour == "garbage":
        return say("\x01\x02 who is there?")
    if behaviour == "endless":
        while True:
            say("220-more")
    say("554 not today" if behaviour == "refuse" else "220 mail.test ready")
    encrypted = behaviour != "starttls"
    while True:
        line = stream.readline(4096).decode().rstrip("\r\n")
        if not line:
            return None
        hear(line)
        word = line.split(" ")[0].upper()
        if word == "EHLO":
            if encrypted:
                say("250-mail.test\r\n250-SIZE 100000\r\n250 AUTH LOGIN" + ("" if behaviour == "login" else " PLAIN"))
            else:
                say("250-mail.test\r\n250 STARTTLS")
        elif word == "STARTTLS":
            say("220 go on")
            stream.flush()
            connection = context.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rwb")
            encrypted = True
        elif word == "AUTH" and line.endswith("LOGIN"):
            for question in ["Username:", "Password:"]:
                say("334 " + base64.b64encode(question.encode()).decode())
                hear(base64.b64decode(stream.readline(4096)).decode())
            say("235 welcome")
        elif word == "AUTH":
            hear(base64.b64decode(line.split(" ")[2]).decode())
            say("535 wrong password" if behaviour == "password" else "235 welcome")
        elif word == "DATA":
            say("354 go on")
            text = b""
            while not text.endswith(b"\r\n.\r\n"):
                text += stream.readline(4096)
            hear(text.decode())
            say("250 queued")
        elif word == "QUIT":
            say("221 bye")
            return None
        else:
            say("550 nobody of that name" if behaviour == "recipient" and word == "RCPT" else "250 well")


def serve(connection):
    try:
        if context and behaviour != "starttls":
            connection = context.wrap_socket(connection, server_side=True)
        stream = connection.makefile("rwb")
        http(stream) if kind == "http" else smtp(stream, connection)
        stream.close()
    except (OSError, IndexError) as error:
        hear(f"broken off: {type(error).__name__}")
    connection.close()


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def accept():
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
os._exit(0)

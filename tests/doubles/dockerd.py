"""A dockerd of the test's own, in a folder of its own, with containers of busybox; ended by pid."""

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import docker as sdk

SLEEP = ["/bin/busybox", "sleep", "1000"]
OPTIONS = ["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--bridge=none"]


class Dockerd:
    """The engine itself, and what is done to its containers behind our driver's back."""

    def __init__(self):
        # A socket's path must stay short.
        self.folder = Path("/tmp") / f"healer-dockerd-{os.getpid()}-{time.monotonic_ns() % 10**6}"
        self.folder.mkdir()
        self.url = f"unix://{self.folder}/docker.sock"
        self.process = None
        self.client = None

    def start(self):
        command = [
            shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin"), "--data-root", f"{self.folder}/root",
            "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/docker.pid", "-H", self.url, *OPTIONS,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 30
        while not self.answers():
            said = (self.folder / "log").read_text()[-2000:]
            assert self.process.poll() is None, f"dockerd did not come up:\n{said}"
            assert time.monotonic() < end, f"dockerd does not answer:\n{said}"
            time.sleep(0.02)
        if self.client is None:
            self.client = sdk.APIClient(base_url=self.url, version="auto", timeout=20)
            self._image()

    def answers(self):
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(5)
            sock.connect(f"{self.folder}/docker.sock")
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in sock.recv(100)
        return False

    def _image(self):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
        self.client.import_image_from_data(archive.getvalue(), repository="box", tag="1")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def close(self):
        with contextlib.suppress(Exception):
            self.empty()
        self.client.close()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def empty(self):
        for each in self.client.containers(all=True):
            self.client.remove_container(each["Id"], force=True)

    # ------------------------------------------------------------------- the same words as the engine in this process

    def make(
        self,
        name,
        *,
        labels=None,
        policy="no",
        memory=0,
        pids=0,
        nano_cpus=0,
        networks=("none",),
        command=SLEEP,
        **more,
    ):
        asked = {"mem_limit": memory or None, "pids_limit": pids or None, "nano_cpus": nano_cpus or None}
        host = self.client.create_host_config(
            network_mode=networks[0], restart_policy={"Name": policy}, **{k: v for k, v in asked.items() if v}
        )
        # KILL: the engine need not wait for it when it ends itself.
        self.client.create_container(
            "box:1", command, name=name, host_config=host, labels=labels, stop_signal="KILL", **more
        )
        for network in networks[1:]:
            self.client.connect_container_to_network(name, network)
        self.client.start(name)

    def die(self, name, code=137):
        """Its first process is killed, by nobody the engine knows."""
        assert code == 137
        os.kill(self.client.inspect_container(name)["State"]["Pid"], signal.SIGKILL)
        end = time.monotonic() + 10
        while self.client.inspect_container(name)["State"]["Running"]:
            assert time.monotonic() < end
            time.sleep(0.002)

    def remove(self, name):
        self.client.remove_container(name, force=True)

    def ask_to_stop(self, name):
        self.client.stop(name, timeout=0)

    def revive(self, name):
        self.client.start(name)

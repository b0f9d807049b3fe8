"""The files of ``deploy/``, as far as a machine without a container engine can tell."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from chatwoot_mcp.cli import _parser  # pyright: ignore[reportPrivateUsage]
from chatwoot_mcp.settings import TOKEN_FILE, VARIABLES
from chatwoot_mcp.web.serve import check_exposure, read_settings
from chatwoot_sandbox import Sandbox
from faults.proxy import proxy
from web.services import nginx_of_the_example
from web.test_process import server
from web.web import CALL, JSON
from wire import answer, wire

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
OURS: Final = {*VARIABLES.values(), TOKEN_FILE}


def is_installed(module: str) -> bool:
    """Whether the whole of the dotted name is there: others bring some of its packages without the rest."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def needed(module: str) -> None:
    """Skips where the group ``check`` is not installed, but for CI."""
    if not is_installed(module):
        if os.environ.get("CI"):
            pytest.fail(f"{module} is not installed")
        pytest.skip(f"{module} is not installed: uv sync --group check")


def documents(path: Path) -> list[dict[str, Any]]:
    needed("yaml")
    import yaml

    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def manifests() -> dict[str, dict[str, Any]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return {manifest["kind"]: manifest for file in files for manifest in documents(file)}


def starts(command: list[str]) -> None:
    """The command line takes it."""
    args = _parser().parse_args(command)
    assert callable(args.run)


def test_kubernetes_takes_the_manifests() -> None:
    needed("kubernetes_validate")
    import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs]

    found = manifests()
    assert set(found) == {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
    for manifest in found.values():
        kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_the_manifests_fit_together() -> None:
    found = manifests()
    deployment = found["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"] == labels == deployment["selector"]["matchLabels"]
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] < deployment["replicas"]
    assert found["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == deployment["replicas"]
    pod = deployment["template"]["spec"]
    [container] = pod["containers"]
    assert {variable["name"] for variable in container["env"]} <= OURS
    values = {variable["name"]: variable.get("value", "t") for variable in container["env"]}
    if pod.get("enableServiceLinks", True):
        values[f"{found['Service']['metadata']['name'].upper().replace('-', '_')}_SERVICE_HOST"] = "10.0.0.1"
    settings = read_settings(values)
    check_exposure(settings, "0.0.0.0")  # noqa: S104 - as the image does
    assert pod["terminationGracePeriodSeconds"] > settings.deadline_s + 5 + 5
    assert {probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")} == {
        "/healthz",
        "/readyz",
    }


def test_the_compose_file_starts_what_there_is() -> None:
    services = documents(DEPLOY / "compose.yaml")[0]["services"]
    assert set(services) == {"mcp", "valkey", "chatwoot"}
    variables = services["mcp"]["environment"]
    assert set(variables) <= OURS
    given = {name: re.sub(r"\$\{\w+:[-?]?([^}]*)\}", r"\1", str(value)) for name, value in variables.items()}
    settings = read_settings({**given, "CHATWOOT_BASE_URL": "https://desk.test", "CHATWOOT_API_TOKEN": "t"})
    check_exposure(settings, "0.0.0.0")  # noqa: S104
    starts(services["chatwoot"]["command"])
    assert services["mcp"]["read_only"] is True
    build = services["mcp"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert int(services["mcp"]["stop_grace_period"].removesuffix("s")) > settings.deadline_s + 5


def test_the_image_has_what_the_package_needs_and_is_not_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps: list[tuple[str, str]] = re.findall(r"^([A-Z]+) +(.*)$", text, re.MULTILINE)
    copied = {name for step, rest in steps if step == "COPY" and "--from" not in rest for name in rest.split()[:-1]}
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    build = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wheel = build.partition("[tool.hatch.build.targets.wheel]")[2].partition("\n\n")[0]
    assert {*re.findall(r'"(\w+)/\w+"', wheel), "pyproject.toml", "README.md", "LICENSE"} == copied
    last = dict(steps)
    assert last["USER"] == "10001:10001"
    assert json.loads(last["ENTRYPOINT"]) == ["chatwoot-mcp"]
    starts(json.loads(last["CMD"]))
    assert json.loads(last["HEALTHCHECK"].partition("CMD ")[2])[:2] == ["python", "-c"]


async def test_the_images_health_check_tells_a_live_server_from_a_dead_one() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    code = json.loads(re.findall(r"HEALTHCHECK.*?CMD (\[.*?\])\n", text, re.DOTALL)[0])[2]
    async with server("--sandbox") as (_, base_url):
        here = code.replace("http://127.0.0.1:8080", base_url)
        alive = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", here], capture_output=True, check=False)
    dead = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", here], capture_output=True, check=False)
    assert (alive.returncode, dead.returncode) == (0, 1)


def test_systemd_takes_the_unit() -> None:
    text = (DEPLOY / "chatwoot-mcp.service").read_text(encoding="utf-8")
    starts(re.findall(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)[0].split())
    assert set(re.findall(r"^Environment=(\w+)=", text, re.MULTILINE)) <= OURS
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(  # noqa: S603
        ["systemd-analyze", "verify", "--man=no", str(DEPLOY / "chatwoot-mcp.service")],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "chatwoot-mcp.service" in line]
    # Where it is not installed, the command is all that is missing.
    assert all("is not executable" in line or "Failed to" in line for line in complaints), done.stderr


async def test_nginx_takes_the_example_and_serves_only_the_endpoint(sandbox: Sandbox, key: str, tmp_path: Path) -> None:
    async with proxy(sandbox) as there:
        env = {
            "CHATWOOT_BASE_URL": there.base_url,
            "CHATWOOT_API_TOKEN": "sandbox-admin",
            "CHATWOOT_MCP_ALLOWED_HOSTS": "mcp.example.com",
            "CHATWOOT_MCP_CALLERS_FILE": str(tmp_path / "callers.json"),
        }
        async with server(**env) as (_, base_url), nginx_of_the_example(base_url, tmp_path, **JSON) as ask:
            called = await ask.post("/mcp", json=CALL, headers={"authorization": f"Bearer {key}"})
            others = [(await ask.get(path)).status_code for path in ("/healthz", "/metrics")]
    assert (called.status_code, others) == (200, [404, 404])


def test_a_module_of_a_package_that_others_bring_is_needed_itself() -> None:
    assert is_installed("mcp.client")
    assert not is_installed("mcp.nosuch.module")
    assert not is_installed("nosuch")


async def test_spans_go_where_opentelemetrys_variables_say_and_hold_no_argument() -> None:
    needed("opentelemetry.exporter.otlp.proto.http")
    async with wire(answer()) as collector:
        async with server("--sandbox", OTEL_EXPORTER_OTLP_ENDPOINT=collector.base_url) as (process, base_url):
            params = {"name": "find_contacts", "arguments": {"query": "canary"}}
            body = json.dumps({**CALL, "method": "tools/call", "params": params}).encode()
            request = urllib.request.Request(f"{base_url}/mcp", body, JSON)  # noqa: S310 - loopback
            await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())  # noqa: S310
            process.terminate()
            await process.communicate()
        sent = b"".join(collector.requests)
    assert b"POST /v1/traces" in sent
    assert b"canary" not in sent

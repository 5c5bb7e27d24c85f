"""settings.py HELP_DIR OVERLAY.yaml...: settings in manifests against what the programs know.

HELP_DIR holds `event-producer` and `event-consumer`, what each says to --help. One line for each
complaint; the exit status is 1 if there is any.
"""

import os
import re
import sys

from rendered import Overlay, containers, named

# Set only where the services are not those of AWS.
ELSEWHERE = {"AWS_ENDPOINT_URL"}

# The image has its own defaults for these, see Dockerfile.
OF_THE_IMAGE = {"LOG_FORMAT"}


class Program:
    """The variables of a program, with the default of each that has one."""

    def __init__(self, path):
        with open(path) as text:
            found = re.findall(r"\[env: (\w+)(?:=.*)?\](?:\n\s+\[default: (.*)\])?", text.read())
        self.defaults = dict(found)
        assert "SHUTDOWN_GRACE_SECS" in self.defaults, f"{path} is no help text of a pod"


def names(overlay, program, settings, what):
    """Every setting exists, and every one that exists is there."""
    known = set(program.defaults)
    if not overlay.name.endswith("local.yaml"):
        known -= ELSEWHERE
    for name in sorted(set(settings) - known):
        yield f"{what}: the program knows no {name}"
    for name in sorted(known - set(settings)):
        yield f"{what}: {name} is missing"


def values_of_the_demo(program, settings, what):
    """The demo overlay has the programs' own defaults."""
    for name, default in program.defaults.items():
        if default and name not in OF_THE_IMAGE and settings.get(name) != default:
            yield f"{what}: {name} is {settings.get(name)!r}, the program has {default!r}"


def pods(overlay, role, program, settings):
    """Time to drain before Kubernetes kills, and the port that probes ask."""
    for found, template in overlay.workloads():
        for container in template["spec"]["containers"]:
            if container.get("command") != [f"event-{role}"]:
                continue
            who = f"{overlay.name}: {named(found)}"
            sources = [source.get("configMapRef", {}).get("name") for source in container["envFrom"]]
            if f"{role}-settings" not in sources:
                yield f"{who} has no settings"
            kill = template["spec"].get("terminationGracePeriodSeconds", 30)
            drain = float(settings.get("SHUTDOWN_GRACE_SECS") or 0)
            if drain < float(program.defaults["SHUTDOWN_GRACE_SECS"]):
                yield f"{who} drains for {drain:g} s, the program wants {program.defaults['SHUTDOWN_GRACE_SECS']} s"
            if kill <= drain:
                yield f"{who} is killed after {kill} s, its drain takes up to {drain:g} s"
            ports = [str(port["containerPort"]) for port in container.get("ports", [])]
            if ports != [settings.get("HTTP_PORT")]:
                yield f"{who} has the ports {ports}, it listens on {settings.get('HTTP_PORT')}"


def made(overlay):
    """What `eventctl setup` makes there is what the pods use."""
    for found, template in overlay.workloads():
        for container in containers(template):
            if container.get("command", [])[:2] != ["eventctl", "setup"]:
                continue
            made = overlay.variables(found, container)
            for role in ("producer", "consumer"):
                settings = overlay.find("ConfigMap", f"sales-events-{role}-ns", f"{role}-settings")["data"]
                for name in ("RELIABLE_QUEUE_NAME", "STORE_EVENTS_BKT", "AWS_REGION"):
                    if name in settings and settings[name] != made.get(name):
                        yield f"{overlay.name}: {named(found)} makes {made.get(name)!r}, the {role} has {name} {settings[name]!r}"


def complaints(programs, overlay):
    yield from made(overlay)
    for role, program in programs.items():
        space, name = f"sales-events-{role}-ns", f"{role}-settings"
        found = overlay.find("ConfigMap", space, name)
        if not found:
            yield f"{overlay.name}: no ConfigMap {space}/{name}"
            continue
        what, settings = f"{overlay.name}: {named(found)}", found["data"]
        yield from names(overlay, program, settings, what)
        if overlay.name.endswith("demo.yaml"):
            yield from values_of_the_demo(program, settings, what)
        yield from pods(overlay, role, program, settings)


def main(help_dir, paths):
    roles = ("producer", "consumer")
    programs = {role: Program(os.path.join(help_dir, f"event-{role}")) for role in roles}
    failed = False
    for path in paths:
        for complaint in complaints(programs, Overlay(path)):
            print(complaint)
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

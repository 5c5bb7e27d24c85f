"""What `kubectl kustomize` printed, and where to find what in it."""

import yaml


class Overlay:
    """The objects of one overlay."""

    def __init__(self, path):
        self.name = path
        with open(path) as text:
            self.objects = [found for found in yaml.safe_load_all(text) if found]

    def of_kind(self, *kinds):
        return [found for found in self.objects if found["kind"] in kinds]

    def find(self, kind, namespace, name):
        for found in self.of_kind(kind):
            meta = found["metadata"]
            if (meta.get("namespace"), meta["name"]) == (namespace, name):
                return found
        return None

    def workloads(self):
        """Each object that makes pods, with the template of its pods."""
        for found in self.of_kind("Deployment", "Job", "CronJob"):
            spec = found["spec"]
            if found["kind"] == "CronJob":
                spec = spec["jobTemplate"]["spec"]
            yield found, spec["template"]

    def variables(self, workload, container):
        """The variables of a container, those of its ConfigMaps included."""
        variables = {}
        for source in container.get("envFrom", []):
            name = source.get("configMapRef", {}).get("name")
            settings = self.find("ConfigMap", workload["metadata"]["namespace"], name)
            variables |= settings["data"] if settings else {}
        return variables | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}

    def pods_of(self, namespace, selector):
        """The workloads whose pods a selector takes; an empty one takes all of the namespace."""
        return [
            (found, template)
            for found, template in self.workloads()
            if found["metadata"]["namespace"] == namespace
            and matches(selector, template["metadata"].get("labels", {}))
        ]


def matches(selector, labels):
    """Whether a selector takes these labels. The manifests have no matchExpressions."""
    assert "matchExpressions" not in selector, "matchExpressions are not understood here"
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items())


def containers(template):
    spec = template["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def named(found):
    """How an object is called in a complaint."""
    meta = found["metadata"]
    return f'{found["kind"]} {meta.get("namespace", "")}/{meta["name"]}'

"""Validate an RO-Crate offline with roc-validator: `python validate_crate.py CRATE PROFILE WORK`. Exit 0: nothing REQUIRED is broken.

The contexts come from `contexts/` beside this file, put into the validator's cache under the addresses that the crate names.
"""

# mypy: ignore-errors
# (roc-validator and requests carry no types, and this script runs in a process of its own)
from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import requests
from requests.adapters import BaseAdapter
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester
from urllib3.response import HTTPResponse

HERE = Path(__file__).parent / "contexts"
FILES = {
    "https://w3id.org/ro/crate/1.1/context": HERE / "mini-ro-crate-1.1.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": HERE / "mini-wfrun.jsonld",
}


class FileAdapter(BaseAdapter):
    def send(self, request, **_kw):
        data = FILES[request.url].read_bytes()
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = HTTPResponse(
            body=io.BytesIO(data), headers=dict(answer.headers), status=200, preload_content=False
        )
        return answer

    def close(self):
        pass


def main(crate: str, profile: str, work: str) -> int:
    logging.disable(logging.CRITICAL)
    session = HttpRequester(cache_max_age=-1, cache_path=work).session
    for scheme in ("https://", "http://"):
        session.mount(scheme, FileAdapter())
    for url in FILES:
        session.get(url, headers={"Accept": "application/ld+json, application/json, */*;q=0.1"}).raise_for_status()
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=crate, profile_identifier=profile, requirement_severity=models.Severity.REQUIRED, offline=True,
            cache_path=work, skip_availability_check=True, enable_profile_inheritance=True,
        )
    )  # fmt: skip
    for issue in result.get_issues():
        print(issue.severity.name, issue.check.identifier, getattr(issue, "violatingEntity", ""), issue.message)
    return 0 if result.passed() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))

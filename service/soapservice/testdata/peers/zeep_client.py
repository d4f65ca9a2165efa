# Calls the service with zeep; the first argument is 1.1 or 1.2.
import hashlib
import os
import sys

import requests
import zeep
from zeep.transports import Transport

e = os.environ
session = requests.Session()
session.auth = (e["SOAP_USER"], e["SOAP_PASSWORD"])
client = zeep.Client(e["SOAP_URL"] + "?wsdl", transport=Transport(session=session))
port = {"1.1": "DisnixWebServiceHttpSoap11Endpoint", "1.2": "DisnixWebServiceHttpSoap12Endpoint"}[sys.argv[1]]
service = client.bind("DisnixWebService", port)


def show(name, result):
    if isinstance(result, list):
        result = " ".join(result)
    print(f"{name}: {'' if result is None else result}")


with open(e["CLOSURE"], "rb") as f:
    closure = f.read()

show("printInvalid", service.printInvalid([e["GOOD"], e["MISSING"]]))
show("printInvalid of nothing", service.printInvalid([]))
show("queryRequisites", service.queryRequisites([e["GOOD"]]))
show("lock", service.lock("default"))
try:
    service.lock("default")
except zeep.exceptions.Fault as fault:
    show("lock again", "fault " + str("locked" in fault.message).lower())
show("unlock", service.unlock("default"))
show("importLocalFile", service.importLocalFile(closure))
show("printInvalid of it", service.printInvalid([e["UPLOADED"]]))
show("exportRemoteFile", hashlib.sha256(service.exportRemoteFile([e["UPLOADED"]])).hexdigest())
show("realise", service.realise([e["GOOD"]]))
show("importm", service.importm(service.export([e["UPLOADED"]])))
for operation in ["activate", "deactivate", "snapshot", "restore", "deleteState"]:
    show(operation, service[operation](e["GOOD"], "box", "recorder", ["a=<1>", "greeting=hällo & ]]>"]))
show("importLocalSnapshots", service.importLocalSnapshots("box", "a", "/s/id", [b"one", b"\x00two"], ["/s/id/1", "/s/id/d/2"]))
show("queryAllSnapshots", service.queryAllSnapshots("box", "a"))
show("queryLatestSnapshot", service.queryLatestSnapshot("box", "a"))
show("printMissingSnapshots", service.printMissingSnapshots(["box/a/id", "box/a/other"]))
path = service.resolveSnapshots(["box/a/id"])[0]
show("exportRemoteSnapshotPaths", [p[len(path):] for p in service.exportRemoteSnapshotPaths(path)])
show("exportRemoteSnapshots", [c.hex() for c in service.exportRemoteSnapshots(path)])
show("importSnapshots", service.importSnapshots("box", "a", [path]))
show("cleanSnapshots", service.cleanSnapshots(0, None, None))
show("queryAllSnapshots", service.queryAllSnapshots(None, None))
show("captureConfig", "containers" in service.captureConfig())
show("set", service.set("default", e["PROFILE"]))
show("queryInstalled", service.queryInstalled("default")[0].replace("\n", "|"))
show("collectGarbage", service.collectGarbage(False))

<?php
// Calls the service with PHP's SoapClient, which knows no parts: binary values
// are in base64 both ways.
$e = getenv();
$client = new SoapClient($e["SOAP_URL"] . "?wsdl", [
    "login" => $e["SOAP_USER"], "password" => $e["SOAP_PASSWORD"],
    "cache_wsdl" => WSDL_CACHE_NONE, "features" => SOAP_SINGLE_ELEMENT_ARRAYS, "keep_alive" => true,
]);

function show($name, $result) {
    echo "$name: ", is_array($result) ? implode(" ", $result) : $result ?? "", "\n";
}
function call($operation, $arguments = []) {
    global $client;
    return $client->__soapCall($operation, [$arguments])->return ?? null;
}

show("printInvalid", call("printInvalid", ["derivation" => [$e["GOOD"], $e["MISSING"]]]));
show("printInvalid of nothing", call("printInvalid", ["derivation" => []]));
show("queryRequisites", call("queryRequisites", ["derivation" => [$e["GOOD"]]]));
show("lock", call("lock", ["profile" => "default"]));
try {
    call("lock", ["profile" => "default"]);
} catch (SoapFault $fault) {
    show("lock again", "fault " . (str_contains($fault->getMessage(), "locked") ? "true" : $fault->getMessage()));
}
show("unlock", call("unlock", ["profile" => "default"]));
show("importLocalFile", call("importLocalFile", ["dataHandler" => file_get_contents($e["CLOSURE"])]));
show("printInvalid of it", call("printInvalid", ["derivation" => [$e["UPLOADED"]]]));
show("exportRemoteFile", hash("sha256", call("exportRemoteFile", ["derivation" => [$e["UPLOADED"]]])));
show("realise", call("realise", ["derivation" => [$e["GOOD"]]]));
show("importm", call("importm", ["closure" => call("export", ["derivation" => [$e["UPLOADED"]]])]));
foreach (["activate", "deactivate", "snapshot", "restore", "deleteState"] as $operation) {
    show($operation, call($operation, ["derivation" => $e["GOOD"], "container" => "box", "type" => "recorder",
        "arguments" => ["a=<1>", "greeting=hällo & ]]>"]]));
}
show("importLocalSnapshots", call("importLocalSnapshots", ["container" => "box", "component" => "a", "snapshot" => "/s/id",
    "dataHandlers" => ["one", "\0two"], "paths" => ["/s/id/1", "/s/id/d/2"]]));
show("queryAllSnapshots", call("queryAllSnapshots", ["container" => "box", "component" => "a"]));
show("queryLatestSnapshot", call("queryLatestSnapshot", ["container" => "box", "component" => "a"]));
show("printMissingSnapshots", call("printMissingSnapshots", ["component" => ["box/a/id", "box/a/other"]]));
$path = call("resolveSnapshots", ["snapshots" => ["box/a/id"]])[0];
show("exportRemoteSnapshotPaths", array_map(fn($p) => substr($p, strlen($path)), call("exportRemoteSnapshotPaths", ["derivation" => $path])));
show("exportRemoteSnapshots", array_map("bin2hex", call("exportRemoteSnapshots", ["derivation" => $path])));
show("importSnapshots", call("importSnapshots", ["container" => "box", "component" => "a", "snapshots" => [$path]]));
show("cleanSnapshots", call("cleanSnapshots", ["keep" => 0, "container" => null, "component" => null]));
show("queryAllSnapshots", call("queryAllSnapshots", ["container" => null, "component" => null]));
show("captureConfig", str_contains(call("captureConfig"), "containers") ? "True" : "False");
show("set", call("set", ["profile" => "default", "derivation" => $e["PROFILE"]]));
show("queryInstalled", str_replace("\n", "|", call("queryInstalled", ["profile" => "default"])[0]));
show("collectGarbage", call("collectGarbage", ["deleteOld" => false]));

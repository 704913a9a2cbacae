<?php

declare(strict_types=1);

/*
 * Forwards requests to a server and drops the first responses, after the server processed the requests. Arguments: own
 * port, server port, number of dropped responses.
 */
[, $port, $server, $lost] = array_map('intval', $argv);
$listening = stream_socket_server("tcp://127.0.0.1:$port") ?: exit(1);
echo "ready\n";
while (true) {
    $client = stream_socket_accept($listening, -1);
    $target = stream_socket_client("tcp://127.0.0.1:$server");
    // Each connection has one request with head and body.
    $request = '';
    while (!str_contains($request, "\r\n\r\n")) {
        $request .= fread($client, 65536);
    }
    preg_match('/^content-length: (\d+)/mi', $request, $length);
    $whole = strpos($request, "\r\n\r\n") + 4 + (int) ($length[1] ?? 0);
    while (strlen($request) < $whole) {
        $request .= fread($client, 65536);
    }
    fwrite($target, $request);
    $answer = stream_get_contents($target);
    if ($lost-- <= 0) {
        fwrite($client, $answer);
    }
    echo strtok($request, "\r"), "\n";
    fclose($client);
    fclose($target);
}

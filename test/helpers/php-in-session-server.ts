import { type PhpSite, phpSite } from './php-request.ts';

/** Starts a site whose sessions PHP stores in a session server, each under an empty key. */
export function phpInSessionServer(port: number): PhpSite {
  const handler = `
    $server = null;
    $ask = function (string $line) use (&$server): string {
      fwrite($server, "$line\\r\\n");
      return rtrim((string) fgets($server), "\\r\\n");
    };
    session_set_save_handler(
      function () use (&$server, $ask): bool {
        $server = stream_socket_client('tcp://127.0.0.1:${port}');
        return $ask('encoding percent') === 'ok';
      },
      fn (): bool => $ask('close') !== '',
      function (string $id) use ($ask): string {
        if ($ask("open $id rw") !== 'ok') throw new Exception();
        $found = $ask('get');
        return str_starts_with($found, 'ok ') ? rawurldecode(substr($found, 3)) : '';
      },
      fn (string $id, string $data): bool => $ask('put  ' . rawurlencode($data)) === 'ok',
      fn (string $id): bool => $ask("open $id rw") === 'ok' && $ask('destroy') === 'ok',
      fn (): int => 0,
    );`;
  return phpSite({}, handler);
}

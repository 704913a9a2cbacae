import { execFileSync } from 'node:child_process';

/** Creates PdoHandler's table with the statement in its documentation. @param url in the form of `DatabaseUrl` */
export function makeSessionTable(url: string, table = 'sessions'): void {
  const code = `
    require 'php/autoload.php';
    $pdo = PhpSessionChat\\Session\\DatabaseUrl::parse($argv[1])->connect();
    foreach (PhpSessionChat\\Session\\Database\\SqlDialect::of($pdo)->createTable($argv[2]) as $statement) {
        $pdo->exec($statement);
    }`;
  execFileSync('php', ['-r', code, '--', url, table], { cwd: new URL('../..', import.meta.url) });
}

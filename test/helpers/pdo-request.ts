import type { FormatName } from '../../server/session/formats/formats.ts';
import { phpRequest } from './php-request.ts';

const handler = new URL('../fixtures/pdo-handler.php', import.meta.url).pathname;

/**
 * Like `phpRequest`, for a PHP site with its sessions in the table `sessions`.
 * @param pdo the arguments of `new PDO`
 */
export function pdoRequest(pdo: string, format: FormatName, code: string, id?: string): string {
  const json = format === 'json';
  return phpRequest(
    { 'session.serialize_handler': json ? 'php_serialize' : format },
    code,
    id,
    `require '${handler}'; session_set_save_handler(new PdoHandler(new PDO(${pdo}), ${json}));`,
  );
}

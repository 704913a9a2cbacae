import { phpRequest } from './php-request.ts';

const handler = new URL('../fixtures/pdo-handler.php', import.meta.url).pathname;

/**
 * Like `phpRequest`, for a PHP site with its sessions in the table `sessions`.
 * @param pdo the arguments of `new PDO`
 */
export function pdoRequest(pdo: string, code: string, id?: string): string {
  const before = `require '${handler}'; session_set_save_handler(new PdoHandler(new PDO(${pdo})));`;
  return phpRequest({}, code, id, before);
}

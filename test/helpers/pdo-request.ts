import { fileURLToPath } from 'node:url';
import { type PhpSite, phpSite } from './php-request.ts';

const handler = fileURLToPath(new URL('../fixtures/pdo-handler.php', import.meta.url));

/**
 * Like `phpSite`, with the sessions in the table `sessions`.
 * @param pdo the arguments of `new PDO`
 */
export const pdoSite = (pdo: string): PhpSite =>
  phpSite({}, `require '${handler}'; session_set_save_handler(new PdoHandler(new PDO(${pdo})));`);

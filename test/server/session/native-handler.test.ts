import { sessionStoreContract } from '../../contracts/session-store.ts';
import { startGate } from '../../helpers/gate.ts';
import { startMemcached } from '../../helpers/memcached.ts';
import { phpRequest } from '../../helpers/php-request.ts';

sessionStoreContract(
  'ext-memcached’s own handler',
  ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'],
  async () => {
    const memcached = await startMemcached();
    const gate = await startGate(memcached.port);
    return {
      ...gate,
      url: (format) => `memcached://127.0.0.1:${gate.port}?handler=memcached&format=${format}`,
      request: (format, code, id) =>
        phpRequest(
          {
            'session.save_handler': 'memcached',
            'session.save_path': `127.0.0.1:${memcached.port}`,
            'session.serialize_handler': format,
          },
          code,
          id,
        ),
      traces: (id) => memcached.traces(`memc.sess.key.${id}`, `memc.sess.key.lock.${id}`),
      async close() {
        await gate.close();
        await memcached.stop();
      },
    };
  },
);

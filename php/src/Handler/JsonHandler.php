<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;

/**
 * Stores sessions as JSON, which any language reads without knowing PHP; see JsonFormat for what it can hold.
 *
 *     ini_set('session.serialize_handler', 'php_serialize');
 *     session_set_save_handler(new JsonHandler(new RedisHandler('127.0.0.1', prefix: 'site_')), false);
 *     session_start(['use_strict_mode' => true]);
 */
final class JsonHandler extends WrappingHandler
{
    public function open(string $path, string $name): bool
    {
        if (ini_get('session.serialize_handler') !== 'php_serialize') {
            throw new InvalidSettings('session.serialize_handler must be php_serialize for sessions in JSON.');
        }
        return parent::open($path, $name);
    }

    protected function wrap(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): string
    {
        return JsonFormat::fromPhp($data);
    }

    protected function unwrap(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): string
    {
        return $record === '' ? '' : JsonFormat::toPhp($record);
    }
}

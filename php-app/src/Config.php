<?php

declare(strict_types=1);

namespace PhpSessionChat;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;

/** The validated settings from the environment. */
final class Config
{
    private const CHAT_API_URL = 'http://127.0.0.1:7070';
    private const SESSION_STORE = 'memcached://127.0.0.1:11211?prefix=sessions/&format=json';

    private function __construct(
        /** The absolute path of the folder with the SQLite file. */
        public readonly string $dataFolder,
        public readonly NativeHandler|\SessionHandlerInterface $sessionHandler,
        /** '' for the page's host only. */
        public readonly string $cookieDomain,
        /** null: on the page's host, see ChatAddress::beside(). */
        public readonly ?ChatAddress $chat,
        /** null without a key; then the site does not write to the chat. */
        public readonly ?ChatClient $chatClient,
        /** null without a key; then the site rejects events of the chat. */
        public readonly ?Webhook $webhook,
        /** null without a sender; then the site sends no mails. */
        public readonly ?NoticeMail $noticeMail,
    ) {
    }

    /** @throws InvalidSettings with all problems */
    public static function fromEnvironment(): self
    {
        $wrong = [];
        $folder = self::setting('APP_DATA', 'data/');
        if (!str_starts_with($folder, '/')) {
            // Relative to the project, because the current folder depends on the web server.
            $folder = dirname(__DIR__, 2) . '/' . $folder;
        }
        $handler = $chat = null;
        try {
            $store = self::setting('SESSION_STORE', self::SESSION_STORE);
            $handler = NativeHandler::fromUrl($store) ?? HandlerFactory::fromUrl($store);
        } catch (InvalidSettings $error) {
            $wrong[] = 'SESSION_STORE: ' . $error->getMessage();
        }
        $domain = self::setting('SESSION_COOKIE_DOMAIN', '');
        if (preg_match('/^(\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?\z/i', $domain) !== 1) {
            $wrong[] = 'SESSION_COOKIE_DOMAIN must be a host name such as example.org';
        }
        try {
            $url = self::setting('CHAT_URL', '');
            $chat = $url === '' ? null : ChatAddress::configured($url);
        } catch (InvalidSettings $error) {
            $wrong[] = $error->getMessage();
        }
        $client = null;
        try {
            $key = self::apiKey();
            // Short, because a login waits for the response.
            $client = $key === '' ? null : new ChatClient(self::setting('CHAT_API_URL', self::CHAT_API_URL), $key, 1.0);
        } catch (\InvalidArgumentException $error) {
            $wrong[] = 'CHAT_API_URL or CHAT_API_KEY: ' . $error->getMessage();
        }
        $webhook = null;
        try {
            $file = self::setting('CHAT_WEBHOOK_KEY_FILE', '');
            $webhook = $file === '' ? null : new Webhook((string) @file_get_contents($file));
        } catch (\InvalidArgumentException $error) {
            $wrong[] = 'CHAT_WEBHOOK_KEY_FILE: ' . $error->getMessage();
        }
        $from = self::setting('MAIL_FROM', '');
        $site = rtrim(self::setting('SITE_URL', ''), '/');
        if ($from !== '' && filter_var($from, FILTER_VALIDATE_EMAIL) === false) {
            $wrong[] = 'MAIL_FROM must be an address such as club@example.org';
        }
        if ($from !== '' && preg_match('~^https?://[^\s/]+(/\S*)?\z~', $site) !== 1) {
            $wrong[] = 'SITE_URL must be the address of this site, such as https://example.org, since MAIL_FROM is set';
        }
        if ($handler === null || $wrong !== []) {
            throw new InvalidSettings(implode('; ', $wrong));
        }
        $mail = $from === '' ? null : new NoticeMail($from, $site);
        return new self(rtrim($folder, '/'), $handler, $domain, $chat, $client, $webhook, $mail);
    }

    /** Reads the key from the chat server's settings; of several keys the first. @throws \InvalidArgumentException */
    private static function apiKey(): string
    {
        $file = self::setting('CHAT_API_KEY_FILE', '');
        $keys = $file === '' ? self::setting('CHAT_API_KEY', '') : @file_get_contents($file);
        if ($keys === false) {
            throw new \InvalidArgumentException('the file of CHAT_API_KEY_FILE cannot be read.');
        }
        return trim(preg_split('/[,\n]/', trim($keys), 2)[0]);
    }

    /** Treats an empty variable as not set, because a compose file may contain `NAME=`. */
    private static function setting(string $name, string $default): string
    {
        $value = getenv($name);
        return $value === false || $value === '' ? $default : $value;
    }
}

<?php

declare(strict_types=1);

namespace PhpSessionChat;

use InvalidArgumentException;
use PDO;
use PDOException;

/**
 * Answers the requests that the chat server sends to CHAT_CARDS_URL. See docs/cards.md.
 *
 * The server asks for each reader, so return null for a user who may not see something. A button runs once, even if its
 * request arrives again.
 */
final class Cards
{
    /** The time for which requests of buttons are remembered, in seconds. */
    private const REMEMBERED = 86_400;

    /**
     * @param PDO $database the database that the buttons change, so that a change and the note that it was made are
     *                      stored together. It needs the table of createTable()
     */
    public function __construct(private readonly Webhook $webhook, private readonly PDO $database)
    {
        if ($database->getAttribute(PDO::ATTR_ERRMODE) !== PDO::ERRMODE_EXCEPTION) {
            throw new InvalidArgumentException('The database must throw exceptions: set PDO::ATTR_ERRMODE to PDO::ERRMODE_EXCEPTION.');
        }
    }

    /** Creates the table php_chat_presses in MariaDB, MySQL, PostgreSQL or SQLite, unless it exists. */
    public static function createTable(PDO $database): void
    {
        $database->exec('CREATE TABLE IF NOT EXISTS php_chat_presses (id VARCHAR(80) PRIMARY KEY, at BIGINT NOT NULL)');
    }

    /**
     * Returns the body of the response to this request, as JSON.
     *
     * A card is an array with `title`, and optionally `text`, `state`, `image` and `url` (paths on this site), and
     * `buttons`, a list of `['id' => …, 'label' => …]`. With `shared` set to true, all readers of the message with the
     * same `lang` get this card. A user is an array with `id`, `name` and optionally `lang`.
     *
     * @param callable(string, array): ?array $get        returns the card of a reference for a user, or null
     * @param callable(string, ?string, array): list<array> $find
     *        returns cards with `about`, by the typed words and what the page is about
     * @param (callable(string, string, array): void)|null $press
     *        runs the button of a card, in a transaction. It is only called for a button that the user's card has
     * @throws WebhookError if the request is not from the chat server: respond with status 400
     */
    public function answerRequest(callable $get, callable $find, ?callable $press = null): string
    {
        return $this->answer($this->webhook->fromRequest(), $get, $find, $press);
    }

    /**
     * Like answerRequest(), for a request that Webhook::verify() returned.
     *
     * @param array{id: string, type?: string, data?: array<string, mixed>} $event
     * @throws WebhookError if it is not a request for cards
     */
    public function answer(array $event, callable $get, callable $find, ?callable $press = null): string
    {
        $data = $event['data'] ?? [];
        $user = $data['user'] ?? null;
        $about = $data['about'] ?? null;
        $isFind = ($event['type'] ?? '') === 'card.find';
        $isPress = ($event['type'] ?? '') === 'card.press';
        if (!is_array($user) || (!$isFind && !is_string($about))) {
            throw new WebhookError('The request is not about a card: CHAT_CARDS_URL has its own address.');
        }
        if ($isFind) {
            return self::json(['cards' => array_values($find($data['query'] ?? '', $about, $user))]);
        }
        if ($isPress && $press !== null) {
            $this->once($event['id'], static function () use ($get, $press, $about, $data, $user): void {
                $buttons = array_column($get($about, $user)['buttons'] ?? [], 'id');
                // The button may be gone since the card was shown, or was never there for this user.
                if (in_array($data['button'], $buttons, true)) {
                    $press($about, $data['button'], $user);
                }
            });
        }
        return self::json(['card' => $get($about, $user)]);
    }

    /** Runs work in a transaction, unless it has run with this ID. */
    private function once(string $id, callable $work): void
    {
        $this->database->beginTransaction();
        try {
            // Waits for a request with the same ID that is running.
            $this->database->prepare('INSERT INTO php_chat_presses (id, at) VALUES (?, ?)')->execute([$id, time()]);
        } catch (PDOException $error) {
            $this->database->rollBack();
            if (!str_starts_with((string) $error->getCode(), '23')) {
                throw $error;
            }
            return;
        }
        try {
            $work();
            $this->database->prepare('DELETE FROM php_chat_presses WHERE at < ?')->execute([time() - self::REMEMBERED]);
            $this->database->commit();
        } catch (\Throwable $error) {
            $this->database->rollBack();
            throw $error;
        }
    }

    private static function json(array $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE);
    }
}

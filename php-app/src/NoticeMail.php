<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The mail to an offline member with unread messages. It contains no messages, because the event has none. */
final class NoticeMail
{
    /**
     * @param string $from the sender's address; members get addresses at its host, because this site stores none
     * @param string $site the address of the site, for the link
     */
    public function __construct(private readonly string $from, public readonly string $site)
    {
    }

    /**
     * @param array{total: int, lang?: string, rooms: list<array{name?: string, unread: int, userText: list<string>}>} $due
     *     the data of the event notify.due
     * @param string $site the address of the site
     * @return array{subject: string, text: string} without the link that stops mails, which is only for the member
     */
    public static function write(array $due, string $site): array
    {
        $texts = new Texts($due['lang'] ?? 'en');
        $lines = [];
        foreach ($due['rooms'] as $room) {
            // A room of users that the member has not accepted. Its name may be advertising.
            if (!isset($room['name'])) {
                continue;
            }
            $isUserText = in_array('name', $room['userText'], true);
            $shown = $isUserText ? Webhook::withoutLinks($room['name']) : $room['name'];
            $lines[] = "$shown: {$room['unread']}";
        }
        $parts = [$texts->get('mail.lead'), implode("\n", $lines), "$site/messages"];
        return [
            'subject' => strtr($texts->get('mail.subject'), ['{count}' => (string) $due['total']]),
            'text' => implode("\n\n", array_filter($parts, fn (string $part): bool => $part !== '')),
        ];
    }

    /**
     * @param string $name the member's user name
     * @param array{total: int, lang?: string, stop?: string, rooms: list<array{name?: string, unread: int, userText: list<string>}>} $due
     *     the data of the event notify.due
     * @return bool whether PHP's mail() accepted the mail
     */
    public function send(string $name, array $due): bool
    {
        $texts = new Texts($due['lang'] ?? 'en');
        ['subject' => $subject, 'text' => $text] = self::write($due, $this->site);
        $headers = [
            'From' => $this->from,
            'Auto-Submitted' => 'auto-generated',
            'MIME-Version' => '1.0',
            'Content-Type' => 'text/plain; charset=utf-8',
            'Content-Transfer-Encoding' => 'base64',
        ];
        if (isset($due['stop'])) {
            $text .= "\n\n{$texts->get('mail.stop')} {$due['stop']}";
            // RFC 8058: the user can unsubscribe with one click in the mail program.
            $headers['List-Unsubscribe'] = "<{$due['stop']}>";
            $headers['List-Unsubscribe-Post'] = 'List-Unsubscribe=One-Click';
        }
        return mail(
            $name . strrchr($this->from, '@'),
            '=?UTF-8?B?' . base64_encode($subject) . '?=',
            chunk_split(base64_encode("$text\n")),
            $headers,
        );
    }
}

<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\NoticeMail;
use PhpSessionChat\Webhook;
use PHPUnit\Framework\TestCase;

/** The links of docs/text.md, which no mail may contain in the name of a room. */
final class UserTextTest extends TestCase
{
    /**
     * @dataProvider cases
     * @param list<string> $links
     */
    public function testBreaksEveryLink(string $text, array $links): void
    {
        $shown = Webhook::withoutLinks($text);
        self::assertSame(preg_replace('/\s/u', '', $text), preg_replace('/\s/u', '', $shown));
        foreach ($links as $link) {
            self::assertStringNotContainsString($link, $shown);
        }
    }

    /** @return iterable<array{string, list<string>}> */
    public static function cases(): iterable
    {
        $file = (string) file_get_contents(__DIR__ . '/../vectors/text/links.json');
        foreach (json_decode($file, true, 16, JSON_THROW_ON_ERROR) as ['cases' => $cases]) {
            foreach ($cases as $case) {
                yield $case;
            }
        }
    }

    public function testIsUsedForNamesThatUsersWrote(): void
    {
        $room = ['name' => 'www。spam.example', 'unread' => 2, 'userText' => ['name']];
        $mail = NoticeMail::write(['total' => 2, 'rooms' => [$room]], 'https://garden.example');
        self::assertStringContainsString('www。 spam. example: 2', $mail['text']);
    }
}

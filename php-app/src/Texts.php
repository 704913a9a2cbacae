<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The texts of the pages in the visitor's language. */
final class Texts
{
    /** The site's languages by the language range that browsers send. The first is the default. */
    private const LANGUAGES = ['en' => 'en', 'fr' => 'fr', 'zh' => 'zh-Hans'];

    public readonly string $language;

    /** @var array<string, array<string, string>> */
    private readonly array $texts;

    /** @param string $accepted the Accept-Language header */
    public function __construct(string $accepted)
    {
        $this->language = self::choose($accepted);
        $file = dirname(__DIR__) . '/templates/texts.json';
        $this->texts = json_decode(file_get_contents($file), true, 4, JSON_THROW_ON_ERROR);
    }

    public function get(string $key): string
    {
        return $this->texts[$key][$this->language];
    }

    private static function choose(string $accepted): string
    {
        $weights = [];
        // Browsers send a few languages. A longer header is not from a browser.
        foreach (array_slice(explode(',', $accepted), 0, 20) as $item) {
            $pattern = '/^\s*([a-z]{1,8})(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*\z/i';
            if (preg_match($pattern, $item, $part) === 1) {
                $primary = strtolower($part[1]);
                $weights[$primary] = max($weights[$primary] ?? 0.0, (float) ($part[2] ?? 1));
            }
        }
        $known = array_filter(array_intersect_key($weights, self::LANGUAGES));
        arsort($known);
        return self::LANGUAGES[array_key_first($known) ?? 'en'];
    }
}

<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** Fills the templates. They print values only through `$e`, which escapes, and texts through `$t`, which does too. */
final class View
{
    private const FOLDER = __DIR__ . '/../templates';

    public function __construct(private readonly Texts $texts)
    {
    }

    /**
     * @param string $template the name of a file in templates/; it may set $title, $class, $head and $launcher for the layout
     * @param array<string, mixed> $values become the template's variables
     * @return string the whole page
     */
    public function page(string $template, array $values): string
    {
        $language = $this->texts->language;
        $e = self::escape(...);
        $t = fn (string $key): string => self::escape($this->texts->get($key));
        extract($values, EXTR_SKIP);
        $title = $class = $head = '';
        $launcher = true;
        ob_start();
        try {
            require self::FOLDER . "/$template.php";
            $content = ob_get_contents();
            ob_clean();
            require self::FOLDER . '/layout.php';
            return ob_get_contents();
        } finally {
            ob_end_clean();
        }
    }

    private static function escape(string|int $value): string
    {
        // ENT_SUBSTITUTE: bytes that are not UTF-8 become U+FFFD. Without it the whole value would become ''.
        return htmlspecialchars((string) $value, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
    }
}

<?php

declare(strict_types=1);

$title = $t('nav.notices') . ' · ' . $t('site.name');
?>
<main class="wide">
<h1><?= $t('nav.notices') ?></h1>
<p class="lead"><?= $t('notices.lead') ?></p>
<?php if ($notices === []) : ?>
<p><?= $t('notices.none') ?></p>
<?php else : ?>
<dl class="facts">
<?php foreach ($notices as ['at' => $at, 'name' => $name, 'unread' => $unread]) : ?>
<dt><time datetime="<?= gmdate(DATE_ATOM, $at) ?>"><?= gmdate('Y-m-d H:i', $at) ?> UTC</time></dt><dd><?= strtr($t('notices.line'), ['{name}' => '<bdi>' . $e($name) . '</bdi>', '{count}' => $e($unread)]) ?></dd>
<?php endforeach ?>
</dl>
<?php endif ?>
</main>

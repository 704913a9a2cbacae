<?php

declare(strict_types=1);

$title = $t('site.name');
$class = 'login-page';
$error = $text;
?>
<main class="login">
<div class="card">
<?php require __DIR__ . '/mark.php' ?>
<h1><?= $t('site.name') ?></h1>
<?php require __DIR__ . '/alert.php' ?>
<?php if ($csrf !== null) : ?>
<form method="post" action="/logout"><input type="hidden" name="csrf" value="<?= $e($csrf) ?>"><button type="submit"><?= $t('page.logout') ?></button></form>
<?php else : ?>
<a href="/"><?= $t('error.home') ?></a>
<?php endif ?>
</div>
</main>

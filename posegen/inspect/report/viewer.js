"use strict";
// Steps through the samples of each viewer; a picture is decoded when it is looked at.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("sample-data");
  const limbs = read("limb-data");
  const load = (source) => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture of the report cannot be decoded"));
    image.src = source;
  });
  // From nothing over red to yellow; of what has signs blue stands for below 0.
  const colour = (value) => [255, 255 * Math.max(0, 1.6 * value - 0.6), 60 * value, 235 * Math.min(1, 1.6 * value)];
  const cold = (value) => [40 * value, 120 * value + 60, 255, 235 * Math.min(1, 1.6 * value)];

  function tint(sprite, label, channel) {
    const [rows, columns] = label.cells;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const most = new Float32Array(rows * columns);
    const channels = channel < 0 ? label.channels.map((_, k) => k) : [channel];
    for (const k of channels) {
      context.clearRect(0, 0, columns, rows);
      context.drawImage(sprite, 0, k * rows, columns, rows, 0, 0, columns, rows);
      const gray = context.getImageData(0, 0, columns, rows).data;
      for (let i = 0; i < most.length; i++) {
        // 127.5 is 0 where there are signs; the two bytes next to it are no more than rounding.
        let value = label.signed ? (gray[4 * i] - 127.5) / 127.5 : gray[4 * i] / 255;
        if (label.signed && Math.abs(value) < 0.005) value = 0;
        if (Math.abs(value) > Math.abs(most[i])) most[i] = value;
      }
    }
    const pixels = context.createImageData(columns, rows);
    most.forEach((value, i) => pixels.data.set(value < 0 ? cold(-value) : colour(value), 4 * i));
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  function drawPeople(context, sample, pairs, scale) {
    const place = (point) => [(point[0] + 0.5) * scale, (point[1] + 0.5) * scale];
    context.lineCap = "round";
    for (const person of sample.people) {
      for (const [width, paint] of [[4, "rgba(20,24,28,.85)"], [2, "#fff"]]) {
        context.lineWidth = width;
        context.strokeStyle = paint;
        for (const [a, b] of pairs) {
          if (person[a][2] > 0 && person[b][2] > 0) {
            context.beginPath();
            context.moveTo(...place(person[a]));
            context.lineTo(...place(person[b]));
            context.stroke();
          }
        }
      }
      for (const point of person) {
        if (point[2] <= 0) continue;
        context.beginPath();
        context.arc(...place(point), 3.2, 0, 2 * Math.PI);
        context.fillStyle = point[2] >= 2 ? "#fff" : "rgba(20,24,28,.85)";
        context.strokeStyle = point[2] >= 2 ? "rgba(20,24,28,.85)" : "#fff";
        context.lineWidth = 1.4;
        context.fill();
        context.stroke();
      }
    }
  }

  for (const viewer of document.querySelectorAll(".viewer")) {
    const which = Number(viewer.dataset.which);
    const samples = data[which];
    const part = (role) => viewer.querySelector(`[data-role="${role}"]`);
    const canvas = part("canvas");
    let at = 0;
    let turn = 0;

    const fill = (select, names) => {
      const before = select.value;
      select.replaceChildren(...names.map(([value, name]) => new Option(name, value)));
      if (names.some(([value]) => value === before)) select.value = before;
      select.parentElement.hidden = names.length < 2;
    };

    async function draw() {
      const mine = ++turn;
      const sample = samples[at];
      fill(part("label"), [["", "picture"], ...sample.labels.map((label) => [label.name, label.name])]);
      const label = sample.labels.find((found) => found.name === part("label").value);
      fill(part("channel"), label
        ? [["-1", "largest of all"], ...label.channels.map((name, k) => [String(k), `${k} ${name}`])] : []);
      const picture = await load(sample.picture);
      const sprite = label ? await load(label.sprite) : null;
      if (mine !== turn) return;
      const scale = Math.min(2.5, 640 / Math.max(...sample.size));
      canvas.width = Math.round(sample.size[0] * scale);
      canvas.height = Math.round(sample.size[1] * scale);
      const context = canvas.getContext("2d");
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      if (label) {
        context.fillStyle = "rgba(0,0,0,.45)";
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.imageSmoothingEnabled = false;
        context.drawImage(tint(sprite, label, Number(part("channel").value)), 0, 0, canvas.width, canvas.height);
      }
      if (part("people").checked) drawPeople(context, sample, limbs[which], scale);
      part("title").textContent = `${at + 1} of ${samples.length}: ${sample.title}`;
      viewer.dataset.shown = `${at}/${label ? label.name : ""}/${label ? part("channel").value : ""}`;
    }

    const step = (by) => {
      at = (at + by + samples.length) % samples.length;
      draw();
    };
    for (const button of viewer.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => step(Number(button.dataset.step)));
    }
    viewer.addEventListener("keydown", (event) => {
      if (event.target.tagName === "SELECT") return;
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
    for (const role of ["label", "channel", "people"]) part(role).addEventListener("change", draw);
    draw();
  }
})();

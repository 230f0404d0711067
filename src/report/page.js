/* Tables that sort and filter, and figures as files. The page says the same without. Neither of the characters that are
   markup is in here, so that the page stays well-formed XML. */
(function () {
  "use strict";
  function make(name, text, inside) {
    var element = document.createElement(name);
    element.textContent = text;
    if (inside) { inside.appendChild(element); }
    return element;
  }
  function value(row, column) {
    var cell = row.cells[column];
    if (!cell) { return ""; }
    var text = (cell.querySelector("b") || cell.firstChild || cell).textContent.trim();
    var number = parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));
    return number === number ? number : text;
  }
  function compare(a, b) {
    if (typeof a === "number") { return typeof b === "number" ? a - b : -1; }
    return typeof b === "number" ? 1 : a.localeCompare(b);
  }
  /* Rows between two headings stay there. */
  function groups(body) {
    var found = [[]];
    Array.prototype.forEach.call(body.rows, function (row) {
      if (row.classList.contains("group")) { found.push([]); } else { found[found.length - 1].push(row); }
    });
    return found;
  }
  function sort(table, column, head) {
    var down = head.getAttribute("aria-sort") !== "descending";
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    groups(table.tBodies[0]).forEach(function (rows) {
      if (!rows.length) { return; }
      var end = rows[rows.length - 1].nextSibling;
      rows.sort(function (a, b) { return (down ? -1 : 1) * compare(value(a, column), value(b, column)); });
      rows.forEach(function (row) { table.tBodies[0].insertBefore(row, end); });
    });
  }
  function filter(table, text) {
    var words = text.toLowerCase().split(" ");
    var heading = null;
    Array.prototype.forEach.call(table.tBodies[0].rows, function (row) {
      if (row.classList.contains("group")) { heading = row; heading.hidden = text !== ""; return; }
      var whole = ((heading ? heading.textContent : "") + " " + row.textContent).toLowerCase();
      row.hidden = !words.every(function (word) { return whole.indexOf(word) !== -1; });
      if (heading) { heading.hidden = heading.hidden ? row.hidden : false; }
    });
  }
  Array.prototype.forEach.call(document.querySelectorAll("main table"), function (table) {
    if (!table.tHead || !table.tBodies.length || table.tBodies[0].rows.length === 1) { return; }
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      if (head.classList.contains("picture")) { return; }
      head.tabIndex = 0;
      head.classList.add("sorts");
      head.title = "Sort by this column";
      head.addEventListener("click", function () { sort(table, column, head); });
      head.addEventListener("keydown", function (event) {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(table, column, head); }
      });
    });
    if (table.tBodies[0].rows.length > 8) {
      var label = document.createElement("label");
      label.className = "filter";
      make("span", "Filter rows ", label);
      var input = make("input", "", label);
      input.type = "search";
      input.addEventListener("input", function () { filter(table, input.value.trim()); });
      table.parentNode.parentNode.insertBefore(label, table.parentNode);
    }
  });
  function save(name, address) {
    var link = document.createElement("a");
    link.href = address;
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
  }
  function drawing(figure) {
    var source = figure.querySelector("svg.plot:not(.narrow)");
    var svg = source.cloneNode(true);
    var style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = PAPER;
    svg.insertBefore(style, svg.firstChild);
    var size = source.viewBox.baseVal;
    svg.setAttribute("width", size.width);
    svg.setAttribute("height", size.height);
    return { text: new XMLSerializer().serializeToString(svg), width: size.width, height: size.height };
  }
  function uri(text) { return "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text); }
  function png(figure, name) {
    var made = drawing(figure);
    var image = new Image();
    image.onload = function () {
      var canvas = document.createElement("canvas");
      canvas.width = 3 * made.width;
      canvas.height = 3 * made.height;
      var pen = canvas.getContext("2d");
      pen.fillStyle = "#ffffff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      save(name + ".png", canvas.toDataURL("image/png"));
    };
    image.src = uri(made.text);
  }
  /* A page of the figure's size in a frame of its own: the browser's printer makes vector graphics of it. */
  function pdf(figure) {
    var made = drawing(figure);
    var frame = document.createElement("iframe");
    frame.className = "printer";
    document.body.appendChild(frame);
    var page = frame.contentDocument;
    make("style", "@page { margin: 0; size: " + made.width + "px " + made.height + "px; } body { margin: 0; }", page.head);
    page.body.appendChild(page.importNode(new DOMParser().parseFromString(made.text, "image/svg+xml").documentElement, true));
    frame.contentWindow.onafterprint = function () { frame.remove(); };
    frame.contentWindow.print();
  }
  Array.prototype.forEach.call(document.querySelectorAll("figure"), function (figure) {
    var data = figure.querySelector("a.data");
    if (!data) { return; }
    var name = data.download.replace(/\.csv$/, "");
    [["SVG", function () { save(name + ".svg", uri(drawing(figure).text)); }],
      ["PNG", function () { png(figure, name); }],
      ["PDF", function () { pdf(figure); }]].forEach(function (kind) {
      var button = make("button", kind[0]);
      button.type = "button";
      button.addEventListener("click", kind[1]);
      data.parentNode.insertBefore(button, data);
    });
    data.textContent = "CSV";
  });
  var contents = document.querySelector("nav details");
  if (contents) { contents.open = window.innerWidth > 640; }
  window.addEventListener("beforeprint", function () {
    Array.prototype.forEach.call(document.querySelectorAll("details"), function (part) { part.open = true; });
  });
}());
